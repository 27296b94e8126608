import { describe, expect, it } from "vitest";
import { loadBundle, parseBundle, unzip } from "../src/bundle.js";
import { DEFAULT_BUNDLE, TASK_MEMBERS } from "../src/constants.js";

const TFLITE = Uint8Array.from([28, 0, 0, 0, ..."TFL3".split("").map((c) => c.charCodeAt(0)), 1, 2, 3]);

/** A zip archive (APPNOTE 4.3) with these members. */
async function zip(members: Record<string, Uint8Array<ArrayBuffer>>, method: 0 | 8): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, bytes] of Object.entries(members)) {
    const data = method ? await deflated(bytes) : bytes;
    const [local, central] = [new DataView(new ArrayBuffer(30)), new DataView(new ArrayBuffer(46))];
    local.setUint32(0, 0x04034b50, true);
    local.setUint16(26, name.length, true);
    local.setUint16(28, 3, true); // an extra field, which differs from the directory's
    central.setUint32(0, 0x02014b50, true);
    central.setUint16(10, method, true);
    central.setUint32(20, data.length, true);
    central.setUint32(24, bytes.length, true);
    central.setUint16(28, name.length, true);
    central.setUint32(42, offset, true);
    const text = new TextEncoder().encode(name);
    parts.push(new Uint8Array(local.buffer), text, new Uint8Array(3), data);
    directory.push(new Uint8Array(central.buffer), text);
    offset += 33 + name.length + data.length;
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, Object.keys(members).length, true);
  end.setUint32(16, offset, true);
  return Uint8Array.from([...parts, ...directory, new Uint8Array(end.buffer)].flatMap((part) => [...part]));
}

async function deflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

describe("a .task file", () => {
  for (const method of [0, 8] as const)
    it(`gives its members, packed by method ${method}`, async () => {
      const members = { [TASK_MEMBERS.palm]: TFLITE, other: Uint8Array.of(1), [TASK_MEMBERS.hand]: TFLITE };
      const loaded = await loadBundle(await zip(members, method));
      expect([loaded.palm, loaded.hand]).toEqual([TFLITE, TFLITE]);
      expect(loaded.bundle).toEqual(DEFAULT_BUNDLE);
    });

  it("is refused if it is cut short, not a zip archive, or lacks a network", async () => {
    const whole = await zip({ [TASK_MEMBERS.palm]: TFLITE }, 0);
    expect(() => unzip(whole.subarray(0, 40), "a.task")).toThrow("not a zip archive");
    await expect(loadBundle(whole)).rejects.toThrow(TASK_MEMBERS.hand);
    await expect(loadBundle(TFLITE)).rejects.toThrow("not a zip archive");
    const texts = { [TASK_MEMBERS.palm]: Uint8Array.of(1, 2, 3), [TASK_MEMBERS.hand]: TFLITE };
    await expect(loadBundle(await zip(texts, 0))).rejects.toThrow("not a tflite network");
  });
});

describe("two networks", () => {
  it("give the int8 form where it is wanted and there", async () => {
    const [palmInt8, handInt8] = [6, 8].map((last) => Uint8Array.from([...TFLITE, last]));
    const models = { palm: TFLITE, hand: TFLITE, palmInt8, handInt8 };
    const networks = async (...given: Parameters<typeof loadBundle>) => {
      const { palm, hand } = await loadBundle(...given);
      return [palm, hand];
    };
    expect(await networks(models)).toEqual([TFLITE, TFLITE]);
    expect(await networks(models, true)).toEqual([palmInt8, handInt8]);
    expect(await networks({ ...models, palmInt8: null }, true)).toEqual([TFLITE, handInt8]);
    expect(await networks({ palm: TFLITE, hand: TFLITE, palmInt8 }, true)).toEqual([palmInt8, TFLITE]);
  });
});

describe("a bundle.json", () => {
  it("overrides sides, grids and outputs by Python's names", () => {
    const text = JSON.stringify({
      palm: { file: "p.tflite", sha256: "00" },
      hand: { file: "h.tflite", sha256: "11" },
      palm_int8: { file: "q.tflite", sha256: "33" },
      hand_int8: { file: "i.tflite", sha256: "22" },
      palm_side: 256,
      hand_outputs: { ...DEFAULT_BUNDLE.handOutputs, visibility: "visibility" },
    });
    const { bundle, palm, hand, palmInt8, handInt8 } = parseBundle(text, "bundle.json");
    expect(bundle.palmSide).toBe(256);
    expect(bundle.handSide).toBe(DEFAULT_BUNDLE.handSide);
    expect(bundle.handOutputs.visibility).toBe("visibility");
    const names = [palm, hand, palmInt8, handInt8].map((network) => network?.file);
    expect(names).toEqual(["p.tflite", "h.tflite", "q.tflite", "i.tflite"]);
  });

  it("is refused if it is not JSON or names no network", () => {
    expect(() => parseBundle("<!doctype html>", "bundle.json")).toThrow("cannot be read");
    expect(() => parseBundle('{"palm": {"file": "p"}}', "bundle.json")).toThrow("does not name a hand network");
    for (const role of ["palm_int8", "hand_int8"]) {
      const text = `{"palm": {"file": "p"}, "hand": {"file": "h"}, "${role}": {}}`;
      expect(() => parseBundle(text, "bundle.json")).toThrow(`does not name a ${role} network`);
    }
    const nails = { palm: { file: "p" }, hand: { file: "h" }, points: { name: "nails" } };
    expect(() => parseBundle(JSON.stringify(nails), "bundle.json")).toThrow('the points of "nails"');
  });
});
