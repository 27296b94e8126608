import { describe, expect, it } from "vitest";
import rows from "../../tests/pipeline/clock.json";
import { NEW_CLOCK, tick } from "../src/clock.js";

describe("the tracker's clock", () => {
  for (const { name, stamps, times } of rows)
    it(`gives the times of the Python clock: ${name}`, () => {
      let clock = NEW_CLOCK;
      for (const [k, stampS] of stamps.entries()) {
        clock = tick(clock, stampS);
        expect(clock.timeS).toBeCloseTo(times[k], 5);
      }
    });
});
