// Builds the package: the components as JavaScript and core modules, then the TypeScript.
//
// PARTWAY_COMPONENT, PARTWAY_IMPORTER and PARTWAY_CODEC name the files of the export, the import and the codec component.
// Without them, the newest ones that `cargo build` left in the repository's target folder are taken, and what `cargo xtask
// codec` has left there.

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transpile } from '@bytecodealliance/jco';

const root = fileURLToPath(new URL('..', import.meta.url));
const generated = join(root, 'src', 'component');
const dist = join(root, 'dist');

/** The file of a component. `variable`: the environment variable that may name it. */
function component(name, variable) {
  const given = process.env[variable];
  if (given) return given;
  const command = name === 'codec' ? 'cargo xtask codec' : 'cargo build -p partway-prebuilt';
  const target = process.env.CARGO_TARGET_DIR ?? join(root, '..', '..', 'target');
  const files = ['debug', 'release'].flatMap((profile) => {
    const builds = join(target, profile, 'build');
    if (!existsSync(builds)) return [];
    const crates = readdirSync(builds).filter((crate) => crate.startsWith('partway-prebuilt-'));
    return crates.map((crate) => join(builds, crate, 'out', `${name}.wasm`)).filter((file) => existsSync(file) && statSync(file).size > 0);
  });
  const dist = join(target, 'dist', `partway-${name}.wasm`);
  if (name === 'codec' && existsSync(dist)) return dist;
  const [newest] = files.sort((one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs);
  if (newest) return newest;
  console.error(`there is no component ${name}.wasm: run \`${command}\`, or set ${variable} to its file`);
  process.exit(1);
}

/** Writes a component as JavaScript and core modules; the names of the files. */
async function transpiled(name, variable) {
  const { files } = await transpile(readFileSync(component(name, variable)), {
    name,
    instantiation: 'sync',
    base64Cutoff: 0,
  });
  for (const [file, bytes] of Object.entries(files)) put(generated, file, bytes);
  return Object.keys(files);
}

function put(folder, name, bytes) {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
}

const names = [
  ...(await transpiled('exporter', 'PARTWAY_COMPONENT')),
  ...(await transpiled('importer', 'PARTWAY_IMPORTER')),
  ...(await transpiled('codec', 'PARTWAY_CODEC')),
];

rmSync(dist, { recursive: true, force: true });
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
const { status } = spawnSync(process.execPath, [tsc, '--project', root], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
for (const name of names) {
  const to = join(dist, 'component', name);
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(join(generated, name), to);
}
