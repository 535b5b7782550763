// Components as JavaScript, by jco.

import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { transpile } from '@bytecodealliance/jco';

/** Compiles a component, by way of a script in `folder`. The result makes a fresh instance of it, and gives its exports. */
export async function compiled(component, folder) {
  const { files } = await transpile(fs.readFileSync(component), {
    name: 'component',
    instantiation: 'sync',
    base64Cutoff: 0,
  });
  const entries = Object.entries(files);
  const modules = new Map(
    entries.filter(([name]) => name.endsWith('.wasm')).map(([name, bytes]) => [name, new WebAssembly.Module(bytes)]),
  );
  const [, code] = entries.find(([name]) => name === 'component.js');
  const script = path.join(folder, 'component.mjs');
  fs.writeFileSync(script, code);
  const { instantiate } = await import(pathToFileURL(script));
  return (imports) => instantiate((name) => modules.get(name), imports);
}
