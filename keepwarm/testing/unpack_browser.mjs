// node unpack_browser.mjs FOLDER: takes the browser out of the npm package @sparticuz/chromium that is installed in
// FOLDER, with the libraries and the fonts that a bare machine lacks, into FOLDER/chromium.
import { createReadStream, createWriteStream, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { spawnSync } from "node:child_process";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const [folder] = process.argv.slice(2);
const packed = join(folder, "node_modules", "@sparticuz", "chromium", "bin");
const target = join(folder, "chromium");
mkdirSync(target, { recursive: true });

// By way of a file: tar closes its input at the archive's end mark, before all of the padding behind it has been read.
async function untar(name) {
  const archive = join(target, "unpacked.tar");
  await pipeline(createReadStream(join(packed, name)), createBrotliDecompress(), createWriteStream(archive));
  const { status, error } = spawnSync("tar", ["-xf", archive, "-C", target], { stdio: "inherit" });
  if (error || status !== 0) throw error ?? new Error(`tar left ${name} with ${status}`);
  rmSync(archive);
}

await untar("al2023.tar.br");
await untar("swiftshader.tar.br");
await untar("fonts.tar.br");
writeFileSync(join(target, "fonts.conf"), `<fontconfig><dir>${resolve(target, "fonts")}</dir></fontconfig>\n`);
await pipeline(
  createReadStream(join(packed, "chromium.br")),
  createBrotliDecompress(),
  createWriteStream(join(target, "chromium"), { mode: 0o755 }),
);
