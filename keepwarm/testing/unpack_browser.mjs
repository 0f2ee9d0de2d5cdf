// node unpack_browser.mjs FOLDER: takes the browser out of the npm package @sparticuz/chromium that is installed in
// FOLDER, with the libraries and the fonts that a bare machine lacks, into FOLDER/chromium.
import { createReadStream, createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const [folder] = process.argv.slice(2);
const packed = join(folder, "node_modules", "@sparticuz", "chromium", "bin");
const target = join(folder, "chromium");
mkdirSync(target, { recursive: true });

async function untar(name) {
  const tar = spawn("tar", ["-x", "-C", target], { stdio: ["pipe", "inherit", "inherit"] });
  const ended = once(tar, "exit");
  await pipeline(createReadStream(join(packed, name)), createBrotliDecompress(), tar.stdin);
  const [code] = await ended;
  if (code !== 0) throw new Error(`tar left ${name} with ${code}`);
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
