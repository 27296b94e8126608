// The licences of the code of others that a build contains.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const apache = readFileSync(`${root}../LICENSE`, "utf8").trim();
const RULE = "=".repeat(78);

/** The text that goes with a build: `about` says what it is, then each package with its licence. */
export function notices(about, packages) {
  const parts = packages.map((name) => {
    const folder = `${root}node_modules/${name}/`;
    const { version, license, author, homepage, repository } = JSON.parse(
      readFileSync(`${folder}package.json`, "utf8"),
    );
    const file = ["LICENSE", "LICENSE.md", "LICENSE.txt"].map((each) => folder + each).find(existsSync);
    const text = file ? readFileSync(file, "utf8").trim() : "";
    if (!text && license !== "Apache-2.0") throw new Error(`${name} has no licence file`);
    const by = [author?.name ?? author, homepage ?? repository?.url].filter(Boolean).join(", ");
    return `${name} ${version}${by ? ` (${by})` : ""}\nLicence: ${license}${text ? `\n\n${text}` : ", in full at the end"}`;
  });
  return [about, ...parts, `Apache License 2.0\n\n${apache}`].join(`\n\n${RULE}\n\n`).concat("\n");
}
