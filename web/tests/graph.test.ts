import { describe, expect, it } from "vitest";
import { Graph, type Step } from "../src/graph.js";

const counting = new Graph({
  name: "counting",
  inputs: ["step"],
  nodes: [
    { run: (count: number, step: number) => count + step, inputs: ["count", "step"], output: "next" },
    { run: (next: number) => 100 / (5 - next), inputs: ["next"], output: "share", when: "step" },
  ],
  output: "next",
  feedback: { count: ["next", 0] },
});

describe("a graph", () => {
  it("carries feedback from call to call and forgets it on reset", async () => {
    counting.reset();
    expect([await counting.run([2]), await counting.run([1]), await counting.run([4])]).toEqual([2, 3, 7]);
    counting.reset({ count: 10 });
    expect(await counting.run([1])).toBe(11);
  });

  it("skips a node whose `when` is empty and tells the observer so", async () => {
    counting.reset();
    const steps: Step[] = [];
    await counting.run([0], (step) => steps.push(step));
    expect(steps.map(({ path, skipped }) => [path.join("/"), skipped])).toEqual([
      ["counting/next", false],
      ["counting/share", true],
    ]);
  });

  it("leaves its memory alone when a node throws", async () => {
    const failing = new Graph({
      ...counting.description,
      nodes: [
        {
          run: (count: number, step: number) => {
            if (step < 0) throw new Error("no");
            return count + step;
          },
          inputs: ["count", "step"],
          output: "next",
        },
      ],
    });
    await failing.run([3]);
    await expect(failing.run([-1])).rejects.toThrow("no");
    expect(await failing.run([1])).toBe(4);
  });

  it("refuses names that nothing produces, and names produced twice", () => {
    const node = { run: () => 1, inputs: ["absent"], output: "one" };
    const wired = { name: "g", inputs: ["one"], output: "one" };
    expect(() => new Graph({ ...wired, nodes: [{ ...node, output: "two" }] })).toThrow("needs absent");
    expect(() => new Graph({ ...wired, nodes: [{ ...node, inputs: [] }] })).toThrow("produced twice");
    expect(() => new Graph({ ...wired, nodes: [], output: "three" })).toThrow("needs three");
  });
});
