// Builds the package: the component as JavaScript and core modules, then the TypeScript.
//
// PARTWAY_COMPONENT names the component's file. Without it, the newest one that `cargo build` left in the
// repository's target folder is taken.

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transpile } from '@bytecodealliance/jco';

const root = fileURLToPath(new URL('..', import.meta.url));
const generated = join(root, 'src', 'component');
const dist = join(root, 'dist');

function component() {
  const given = process.env.PARTWAY_COMPONENT;
  if (given) return given;
  const target = process.env.CARGO_TARGET_DIR ?? join(root, '..', '..', 'target');
  const files = ['debug', 'release'].flatMap((profile) => {
    const builds = join(target, profile, 'build');
    if (!existsSync(builds)) return [];
    const crates = readdirSync(builds).filter((name) => name.startsWith('partway-prebuilt-'));
    return crates.map((name) => join(builds, name, 'out', 'exporter.wasm')).filter((file) => existsSync(file) && statSync(file).size > 0);
  });
  const [newest] = files.sort((one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs);
  if (newest) return newest;
  console.error('there is no export component: run `cargo build -p partway-prebuilt`, or set PARTWAY_COMPONENT to its file');
  process.exit(1);
}

function put(folder, name, bytes) {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
}

const { files } = await transpile(readFileSync(component()), {
  name: 'exporter',
  instantiation: 'sync',
  base64Cutoff: 0,
});
for (const [name, bytes] of Object.entries(files)) put(generated, name, bytes);

rmSync(dist, { recursive: true, force: true });
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
const { status } = spawnSync(process.execPath, [tsc, '--project', root], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
for (const name of Object.keys(files)) {
  const to = join(dist, 'component', name);
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(join(generated, name), to);
}
