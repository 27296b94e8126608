// Read a .glb and a .bvh file with three.js and print where joints are at some times, as JSON:
//     node three.mjs FILE.glb FILE.bvh TIME_S...
import { readFileSync } from "node:fs";
import { AnimationMixer, Vector3 } from "three";
import { BVHLoader } from "three/examples/jsm/loaders/BVHLoader.js";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

globalThis.self = globalThis; // GLTFLoader looks for the browser's window
const [glb, bvh, ...times] = process.argv.slice(2);

function places(root, clip) {
  const mixer = new AnimationMixer(root);
  mixer.clipAction(clip).play();
  return times.map((time) => {
    mixer.setTime(Number(time));
    root.updateMatrixWorld(true);
    const found = {};
    root.traverse((node) => {
      if (!node.isBone) return;
      const name = node.name === "ENDSITE" ? `${node.parent.name} end` : node.name;
      found[name] = [...node.getWorldPosition(new Vector3()).toArray(), node.getWorldScale(new Vector3()).x];
    });
    return found;
  });
}

const bytes = readFileSync(glb);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const scene = await new GLTFLoader().parseAsync(buffer, "");
const skeleton = new BVHLoader().parse(readFileSync(bvh, "utf8"));
console.log(
  JSON.stringify({
    meshes: scene.scene.children.filter((node) => node.isSkinnedMesh).map((node) => node.name),
    glb: places(scene.scene, scene.animations[0]),
    bvh: places(skeleton.skeleton.bones[0], skeleton.clip),
  }),
);
