/** Finds places for labels where they cover no hand and no other label. */

export type Point = readonly [number, number];

/** A rectangle on the canvas: its upper left corner and its size. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** What labels must not cover: the convex outline of a hand, and how far its skin reaches beyond it. */
export interface Shape {
  readonly hull: readonly Point[];
  readonly margin: number;
}

/** Places the labels of one frame, each near its hand. */
export class LabelPlaces {
  private readonly taken: Box[] = [];

  /** @param shapes all hands of the frame. */
  constructor(
    private readonly canvas: { readonly width: number; readonly height: number },
    private readonly shapes: readonly Shape[],
  ) {}

  /**
   * The place for a label of this size: below its hand if that is free, else above, right or left of it, else the
   * nearest free place. Null if there is none: the label is then left out, since the table names the hand too.
   */
  find(own: Shape, width: number, height: number, gap: number): Box | null {
    const [xs, ys] = [own.hull.map(([x]) => x), own.hull.map(([, y]) => y)];
    const reach = own.margin + gap;
    const [left, right] = [Math.min(...xs) - reach, Math.max(...xs) + reach];
    const [top, bottom] = [Math.min(...ys) - reach, Math.max(...ys) + reach];
    const [x, y] = [(left + right - width) / 2, (top + bottom - height) / 2];
    const beside = [
      [x, bottom],
      [x, top - height],
      [right, y],
      [left - width, y],
    ] as const;
    for (const [boxLeft, boxTop] of beside) {
      // Along the border of the canvas a label may slide sideways, but not back over its hand.
      const inside = this.inside({ left: boxLeft, top: boxTop, width, height });
      if (this.isFree(inside)) return this.take(inside);
    }
    const step = Math.max(8, height / 2);
    const places: Box[] = [];
    for (let boxTop = 2; boxTop + height <= this.canvas.height - 2; boxTop += step)
      for (let boxLeft = 2; boxLeft + width <= this.canvas.width - 2; boxLeft += step)
        places.push({ left: boxLeft, top: boxTop, width, height });
    const distance = (box: Box) => Math.hypot(box.left - x, box.top - bottom);
    places.sort((a, b) => distance(a) - distance(b));
    const free = places.find((place) => this.isFree(place));
    return free ? this.take(free) : null;
  }

  private take(box: Box): Box {
    this.taken.push(box);
    return box;
  }

  private inside({ left, top, width, height }: Box): Box {
    const within = (value: number, most: number) => Math.max(2, Math.min(most, value));
    return {
      left: within(left, this.canvas.width - width - 2),
      top: within(top, this.canvas.height - height - 2),
      width,
      height,
    };
  }

  private isFree(box: Box): boolean {
    if (box.left + box.width > this.canvas.width || box.top + box.height > this.canvas.height) return false;
    return !this.taken.some((other) => overlap(box, other)) && !this.shapes.some((shape) => covers(box, shape));
  }
}

function overlap(a: Box, b: Box): boolean {
  const apart =
    a.left + a.width <= b.left || b.left + b.width <= a.left || a.top + a.height <= b.top || b.top + b.height <= a.top;
  return !apart;
}

/** Whether a box touches a convex shape: they do unless an axis of one of them separates them (separating axis theorem). */
function covers(box: Box, { hull, margin }: Shape): boolean {
  const corners: Point[] = [
    [box.left, box.top],
    [box.left + box.width, box.top],
    [box.left, box.top + box.height],
    [box.left + box.width, box.top + box.height],
  ];
  const axes: Point[] = [
    [1, 0],
    [0, 1],
    ...hull.map(([x, y], i): Point => {
      const [nextX, nextY] = hull[(i + 1) % hull.length];
      const length = Math.hypot(nextX - x, nextY - y) || 1;
      return [(nextY - y) / length, (x - nextX) / length];
    }),
  ];
  return !axes.some(([ax, ay]) => {
    const own = corners.map(([x, y]) => x * ax + y * ay);
    const other = hull.map(([x, y]) => x * ax + y * ay);
    return Math.max(...own) <= Math.min(...other) - margin || Math.min(...own) >= Math.max(...other) + margin;
  });
}

/** The convex outline of points (Andrew's monotone chain). */
export function hullOf(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const half = (order: readonly Point[]) => {
    const chain: Point[] = [];
    for (const p of order) {
      while (chain.length >= 2 && turn(chain[chain.length - 2], chain[chain.length - 1], p) <= 0) chain.pop();
      chain.push(p);
    }
    return chain.slice(0, -1);
  };
  return sorted.length < 3 ? sorted : [...half(sorted), ...half(sorted.reverse())];
}

function turn(a: Point, b: Point, c: Point): number {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}
