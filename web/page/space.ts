/** The 3D view of the world landmarks: the camera's pose, and drawing on a 2D canvas. */
import type { Hand } from "../src/index.js";
import { BONES } from "./overlay.js";

/** The viewer's position: angles in radians, distance from the centre of the hands in metres. */
export interface Viewer {
  yaw: number;
  pitch: number;
  distance: number;
}

/** One hand's 21 points x, y, z in metres: y up, z towards the viewer, origin at the centre of all hands. */
export type Points = Float32Array;

/** Draws hands from the viewer's position. */
export interface Renderer {
  draw(hands: readonly Points[], viewer: Viewer, dark: boolean): void;
  resize(width: number, height: number, pixelRatio: number): void;
  close(): void;
}

/** From the front, slightly from above and from the side. */
const FRONT = { yaw: 0.35, pitch: 0.2, zoom: 1 };
const NEAREST_M = 0.42;
const STEP = Math.PI / 24;
export const FIELD_OF_VIEW = (35 * Math.PI) / 180;

/**
 * Place the hands beside each other as in the image, in metres. World landmarks have their origin at each hand's own
 * centre, so each hand is moved to its place in the image, scaled by its size in metres per pixel. Depth is unknown.
 */
export function placeHands(hands: readonly Hand[], flip: boolean): Points[] {
  const placed = hands.map((hand) => {
    const scale = lengthOf(hand.world) / Math.max(lengthOf(hand.landmarks), 1e-6);
    const [px, py] = middleOf(hand.landmarks);
    const [wx, wy] = middleOf(hand.world);
    return { hand, x: px * scale - wx, y: py * scale - wy };
  });
  const x0 = mean(placed.map(({ x }) => x));
  const y0 = mean(placed.map(({ y }) => y));
  return placed.map(({ hand: { world }, x, y }) => {
    const points = new Float32Array(63);
    for (let i = 0; i < 63; i += 3) {
      points[i] = (world[i] + x - x0) * (flip ? -1 : 1);
      points[i + 1] = -(world[i + 1] + y - y0);
      points[i + 2] = -world[i + 2];
    }
    return points;
  });
}

function lengthOf(points: Float32Array): number {
  return Math.hypot(points[27] - points[0], points[28] - points[1]);
}

function middleOf(points: Float32Array): [number, number] {
  let [x, y] = [0, 0];
  for (let i = 0; i < 63; i += 3) {
    x += points[i] / 21;
    y += points[i + 1] / 21;
  }
  return [x, y];
}

function mean(values: readonly number[]): number {
  return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : 0;
}

function reachOf(points: Points): number {
  let most = 0;
  for (let i = 0; i < points.length; i += 3) most = Math.max(most, Math.hypot(points[i], points[i + 1], points[i + 2]));
  return most;
}

/** The 3D view: a canvas that rotates by pointer and keys. */
export class Space {
  private readonly pose = { ...FRONT };
  private fitM = NEAREST_M;
  private hands: readonly Points[] = [];
  private renderer: Renderer | null = null;
  private pending = false;
  private readonly dark = matchMedia("(prefers-color-scheme: dark)");

  constructor(readonly canvas: HTMLCanvasElement) {
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    canvas.addEventListener("pointerdown", (event) => this.onDrag(event));
    canvas.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    this.dark.addEventListener("change", () => this.redraw());
    new ResizeObserver(() => this.fitToPage()).observe(canvas);
  }

  /** Draw with this renderer. */
  use(renderer: Renderer): void {
    this.renderer?.close();
    this.renderer = renderer;
    this.fitToPage();
  }

  show(hands: readonly Points[]): void {
    this.hands = hands;
    const reach = Math.max(0, ...hands.map(reachOf));
    const wanted = Math.max(NEAREST_M, (0.9 * reach) / Math.sin(FIELD_OF_VIEW / 2));
    if (hands.length) this.fitM += (wanted - this.fitM) * (wanted > this.fitM ? 0.4 : 0.05);
    this.redraw();
  }

  private fitToPage(): void {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth) return;
    this.renderer?.resize(clientWidth, clientHeight, Math.min(devicePixelRatio, 2));
    this.redraw();
  }

  private redraw(): void {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.canvas.dataset.hands = String(this.hands.length);
      this.canvas.dataset.yaw = this.pose.yaw.toFixed(3);
      const { yaw, pitch, zoom } = this.pose;
      this.renderer?.draw(this.hands, { yaw, pitch, distance: this.fitM / zoom }, this.dark.matches);
    });
  }

  private rotate(yaw: number, pitch: number): void {
    this.pose.yaw += yaw;
    this.pose.pitch = Math.max(-1.5, Math.min(1.5, this.pose.pitch + pitch));
    this.redraw();
  }

  private zoom(factor: number): void {
    this.pose.zoom = Math.max(0.25, Math.min(4, this.pose.zoom * factor));
    this.redraw();
  }

  private onKey(event: KeyboardEvent): void {
    const actions: Record<string, () => void> = {
      ArrowLeft: () => this.rotate(-STEP, 0),
      ArrowRight: () => this.rotate(STEP, 0),
      ArrowUp: () => this.rotate(0, STEP),
      ArrowDown: () => this.rotate(0, -STEP),
      "+": () => this.zoom(1.1),
      "=": () => this.zoom(1.1),
      "-": () => this.zoom(1 / 1.1),
      Home: () => {
        Object.assign(this.pose, { yaw: 0, pitch: 0, zoom: 1 });
        this.redraw();
      },
    };
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  }

  private onDrag(start: PointerEvent): void {
    let [x, y] = [start.clientX, start.clientY];
    const { canvas } = this;
    canvas.setPointerCapture(start.pointerId);
    const move = (event: PointerEvent) => {
      this.rotate((event.clientX - x) / 120, (event.clientY - y) / 120);
      [x, y] = [event.clientX, event.clientY];
    };
    const end = () => {
      canvas.removeEventListener("pointermove", move);
      canvas.removeEventListener("pointerup", end);
      canvas.removeEventListener("pointercancel", end);
    };
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
  }

  /** Zoom only if the view has the focus; otherwise the page scrolls. */
  private onWheel(event: WheelEvent): void {
    if (document.activeElement !== this.canvas) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 800));
  }
}

/** Draws on a 2D canvas, for browsers without fast WebGL. */
export class PlainRenderer implements Renderer {
  private readonly ctx: CanvasRenderingContext2D | null;
  private pixelRatio = 1;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.ctx = canvas.getContext("2d");
  }

  resize(width: number, height: number, pixelRatio: number): void {
    this.pixelRatio = pixelRatio;
    this.canvas.width = Math.round(width * pixelRatio);
    this.canvas.height = Math.round(height * pixelRatio);
  }

  draw(hands: readonly Points[], viewer: Viewer, dark: boolean): void {
    const { ctx, canvas } = this;
    if (!ctx) return;
    ctx.clearRect(0, 0, canvas.width, canvas.height);
    ctx.lineCap = "round";
    this.drawFloor(ctx, viewer, dark);
    const strokes = hands.flatMap((points) => {
      const projected = Array.from({ length: 21 }, (_, i) => this.project(points.subarray(3 * i, 3 * i + 3), viewer));
      return BONES.map(([a, b, colour]) => ({ from: projected[a], to: projected[b], colour: ink(colour, dark) }));
    });
    strokes.sort((a, b) => b.from[2] + b.to[2] - a.from[2] - a.to[2]);
    for (const { from, to, colour } of strokes) {
      const size = 0.011 * this.focal() * (2 / (from[2] + to[2]));
      line(ctx, from, to, size * 1.5, dark ? "rgba(0,0,0,0.55)" : "rgba(255,255,255,0.8)");
      line(ctx, from, to, size, colour);
      for (const end of [from, to]) {
        ctx.beginPath();
        ctx.arc(end[0], end[1], size * 0.75, 0, 2 * Math.PI);
        ctx.fillStyle = colour;
        ctx.fill();
      }
    }
  }

  close(): void {
    this.ctx?.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  private focal(): number {
    return this.canvas.height / (2 * Math.tan(FIELD_OF_VIEW / 2));
  }

  /** Canvas x and y, and the distance from the viewer in metres. */
  private project(point: ArrayLike<number>, { yaw, pitch, distance }: Viewer): [number, number, number] {
    const [x, y, z] = [point[0], point[1], point[2]];
    const turned = x * Math.cos(yaw) - z * Math.sin(yaw);
    const away = x * Math.sin(yaw) + z * Math.cos(yaw);
    const up = y * Math.cos(pitch) - away * Math.sin(pitch);
    const depth = Math.max(0.05, distance - (y * Math.sin(pitch) + away * Math.cos(pitch)));
    const scale = this.focal() / depth;
    return [this.canvas.width / 2 + turned * scale, this.canvas.height / 2 - up * scale, depth];
  }

  /** Draw rings with radii of 10 and 20 cm below the hands. */
  private drawFloor(ctx: CanvasRenderingContext2D, viewer: Viewer, dark: boolean): void {
    ctx.strokeStyle = dark ? "rgba(255,255,255,0.16)" : "rgba(0,0,0,0.14)";
    ctx.lineWidth = this.pixelRatio;
    for (const radius of [0.1, 0.2]) {
      ctx.beginPath();
      for (let k = 0; k <= 72; k++) {
        const angle = (k / 72) * 2 * Math.PI;
        const [x, y] = this.project([radius * Math.cos(angle), FLOOR, radius * Math.sin(angle)], viewer);
        if (k) ctx.lineTo(x, y);
        else ctx.moveTo(x, y);
      }
      ctx.stroke();
    }
  }
}

/** Height of the floor in metres, below an upright hand. */
export const FLOOR = -0.12;

/** The colour to draw with; the palm's near-white is invisible on a light background. */
export function ink(colour: string, dark: boolean): string {
  return colour === "#e2e6ec" && !dark ? "#8b919b" : colour;
}

function line(
  ctx: CanvasRenderingContext2D,
  from: readonly number[],
  to: readonly number[],
  width: number,
  colour: string,
): void {
  ctx.beginPath();
  ctx.moveTo(from[0], from[1]);
  ctx.lineTo(to[0], to[1]);
  ctx.lineWidth = width;
  ctx.strokeStyle = colour;
  ctx.stroke();
}

/** Use three.js if WebGL runs in hardware; in software it would slow down the tracker. */
export async function startSpace(space: Space): Promise<void> {
  const { canvas } = space;
  if (hasWebGl(new URLSearchParams(location.search).get("webgl") === "software")) {
    const { GlRenderer } = await import("./space_gl.js");
    space.use(new GlRenderer(canvas));
    canvas.dataset.renderer = "webgl";
  } else {
    space.use(new PlainRenderer(canvas));
    canvas.dataset.renderer = "plain";
  }
}

function hasWebGl(software: boolean): boolean {
  const gl = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: !software });
  if (!gl) return false;
  const which = gl.getExtension("WEBGL_debug_renderer_info")?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER;
  const name = String(gl.getParameter(which));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return software || !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}
