// src/knuckle/gestures of the repository; scripts/build.mjs knows where that is.
declare module "knuckle-gestures/network.json" {
  const network: import("../gestures.js").ShapeNetworkJson;
  export default network;
}
declare module "knuckle-gestures/sets.json" {
  const sets: import("../gestures.js").GestureSetsJson;
  export default sets;
}
