// Builds the package: the components as JavaScript and core modules, then the TypeScript.
//
// PARTWAY_COMPONENT, PARTWAY_IMPORTER, PARTWAY_PARQUET and PARTWAY_CODEC name the files of the export component, the import
// component, that for Parquet and the codec component. Without them, the newest ones that `cargo build` left in the
// repository's target folder are taken, and what `cargo xtask codec` has left there.

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

/** A component as JavaScript and core modules, by the names of their files. */
async function transpiled(name, variable) {
  const options = { name, instantiation: 'sync', base64Cutoff: 0 };
  const { files } = await transpile(readFileSync(component(name, variable)), options);
  return files;
}

/** The core modules of a component for which another one's JavaScript is right, being of the same world. */
async function modulesAlone(name, variable, other, script) {
  const files = await transpiled(name, variable);
  const own = new TextDecoder().decode(files[`${name}.js`]);
  if (own.replaceAll(`'${name}.core`, `'${other}.core`) !== new TextDecoder().decode(script)) {
    console.error(`the components ${name} and ${other} are not of the same world: jco makes other JavaScript of each`);
    process.exit(1);
  }
  return Object.fromEntries(Object.entries(files).filter(([file]) => file.endsWith('.wasm')));
}

function put(folder, name, bytes) {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
}

const exporter = await transpiled('exporter', 'PARTWAY_COMPONENT');
const files = {
  ...exporter,
  ...(await modulesAlone('parquet', 'PARTWAY_PARQUET', 'exporter', exporter['exporter.js'])),
  ...(await transpiled('importer', 'PARTWAY_IMPORTER')),
  ...(await transpiled('codec', 'PARTWAY_CODEC')),
};
for (const [file, bytes] of Object.entries(files)) put(generated, file, bytes);

rmSync(dist, { recursive: true, force: true });
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
const { status } = spawnSync(process.execPath, [tsc, '--project', root], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
for (const name of Object.keys(files)) {
  const to = join(dist, 'component', name);
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(join(generated, name), to);
}
