/** The 3D view drawn by three.js, with lit joints and bones. Loaded only if WebGL runs in hardware. */
import {
  BufferGeometry,
  Color,
  CylinderGeometry,
  DirectionalLight,
  Group,
  HemisphereLight,
  LineBasicMaterial,
  LineLoop,
  Mesh,
  MeshStandardMaterial,
  PerspectiveCamera,
  Quaternion,
  Scene,
  SphereGeometry,
  Vector3,
  WebGLRenderer,
} from "three";
import { BONES, PALM_COLOUR } from "./overlay.js";
import { FIELD_OF_VIEW, FLOOR, ink, type Points, type Renderer, type Viewer } from "./space.js";

const UP = new Vector3(0, 1, 0);
const JOINT_RADIUS = 0.0065;
const BONE_RADIUS = 0.0042;

/** The meshes of one hand, reused in every frame. */
class HandModel {
  readonly group = new Group();
  private readonly joints: Mesh[];
  private readonly bones: Mesh[];
  private readonly turn = new Quaternion();

  constructor(sphere: SphereGeometry, cylinder: CylinderGeometry, materials: Map<string, MeshStandardMaterial>) {
    const material = (colour: string) => materials.get(colour) as MeshStandardMaterial;
    const jointColours = Array.from({ length: 21 }, (_, i) => BONES.findLast(([, b]) => b === i)?.[2] ?? PALM_COLOUR);
    this.joints = jointColours.map((colour) => new Mesh(sphere, material(colour)));
    this.bones = BONES.map(([, , colour]) => new Mesh(cylinder, material(colour)));
    this.group.add(...this.joints, ...this.bones);
  }

  place(points: Points): void {
    this.joints.forEach((joint, i) => {
      joint.position.set(points[3 * i], points[3 * i + 1], points[3 * i + 2]);
    });
    this.bones.forEach((bone, k) => {
      const [from, to] = [this.joints[BONES[k][0]].position, this.joints[BONES[k][1]].position];
      const along = new Vector3().subVectors(to, from);
      const length = Math.max(along.length(), 1e-6);
      bone.position.addVectors(from, to).multiplyScalar(0.5);
      bone.scale.set(1, length, 1);
      bone.quaternion.copy(this.turn.setFromUnitVectors(UP, along.divideScalar(length)));
    });
  }
}

/** @throws Error if the browser has no WebGL 2. */
export class GlRenderer implements Renderer {
  private readonly gl: WebGLRenderer;
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera((FIELD_OF_VIEW * 180) / Math.PI, 1, 0.01, 10);
  private readonly materials = new Map<string, MeshStandardMaterial>();
  private readonly sphere = new SphereGeometry(JOINT_RADIUS, 20, 14);
  private readonly cylinder = new CylinderGeometry(BONE_RADIUS, BONE_RADIUS, 1, 14);
  private readonly floor = new LineBasicMaterial({ transparent: true, opacity: 0.16 });
  private readonly models: HandModel[] = [];

  constructor(canvas: HTMLCanvasElement) {
    this.gl = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    for (const [, , colour] of BONES)
      if (!this.materials.has(colour)) this.materials.set(colour, new MeshStandardMaterial({ roughness: 0.45 }));
    const sun = new DirectionalLight(0xffffff, 2.2);
    sun.position.set(0.4, 1, 0.8);
    this.scene.add(new HemisphereLight(0xffffff, 0x8a8078, 1.8), sun, ...[0.1, 0.2].map((radius) => this.ring(radius)));
  }

  resize(width: number, height: number, pixelRatio: number): void {
    this.gl.setPixelRatio(pixelRatio);
    this.gl.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
  }

  draw(hands: readonly Points[], { yaw, pitch, distance }: Viewer, dark: boolean): void {
    for (const [colour, material] of this.materials) material.color = new Color(ink(colour, dark));
    this.floor.color.set(dark ? 0xffffff : 0x000000);
    while (this.models.length < hands.length) {
      const model = new HandModel(this.sphere, this.cylinder, this.materials);
      this.models.push(model);
      this.scene.add(model.group);
    }
    this.models.forEach((model, i) => {
      model.group.visible = i < hands.length;
      if (i < hands.length) model.place(hands[i]);
    });
    const flat = distance * Math.cos(pitch);
    this.camera.position.set(flat * Math.sin(yaw), distance * Math.sin(pitch), flat * Math.cos(yaw));
    this.camera.lookAt(0, 0, 0);
    this.gl.render(this.scene, this.camera);
  }

  close(): void {
    this.gl.dispose();
  }

  private ring(radius: number): LineLoop {
    const points = Array.from({ length: 72 }, (_, k) => {
      const angle = (k / 72) * 2 * Math.PI;
      return new Vector3(radius * Math.cos(angle), FLOOR, radius * Math.sin(angle));
    });
    return new LineLoop(new BufferGeometry().setFromPoints(points), this.floor);
  }
}
