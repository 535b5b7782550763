// docs/SCALE.md says what the simulation reckons, and the simulation takes its prices from outside.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const SIMULATION = fileURLToPath(new URL('../scale/simulate.mjs', import.meta.url));

function simulate(...parameters) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SIMULATION, ...parameters]);
  assert.equal(status, 0, String(stderr));
  return Object.fromEntries(String(stdout).trim().split('\n').map((line) => line.split(/: (.*)/)));
}

test('docs/SCALE.md has the figures of the simulation', () => {
  const document = readFileSync(new URL('../../../docs/SCALE.md', import.meta.url), 'utf8');
  const cells = (start) => {
    const line = document.split('\n').find((one) => one.startsWith(`| ${start}`)) ?? assert.fail(`no row ${start}`);
    return line.replaceAll('*', '').split('|').map((cell) => cell.trim()).slice(1, -1);
  };
  const result = simulate();
  assert.equal(cells('databases')[1], result.databases);
  assert.equal(cells('dumps')[1], result.dumps);
  const costs = { 'rows read': 'rows-read', 'R2 class A': 'class-a', 'rows written': 'rows-written', duration: 'duration', requests: 'requests' };
  for (const [start, name] of Object.entries(costs)) {
    const [, cost, price] = /\$([\d.,]+) a night at \$([\d.]+)/.exec(result[name]) ?? assert.fail(result[name]);
    assert.equal(Math.round(Number(cost.replaceAll(',', ''))), Number(cells(start)[3].replaceAll(',', '')), start);
    assert.equal(Number(cells(start)[2].split(' ')[0]), Number(price), start);
  }
  assert.ok(result['a night'].startsWith(`$${cells('**a night**')[3]},`));
  for (const way of ['each at its own time', 'all at midnight']) {
    const name = way === 'all at midnight' ? way : 'spread by hash';
    const [, mean, most, parts] = cells(way);
    assert.equal(result[name], `${mean} run at once on average, ${most} at most; ${parts} parts a second at most`);
  }
});

test('a price that is set is the price that is reckoned with', () => {
  const small = ['--objects', '1000'];
  const dollars = (text) => Number(/\$([\d.,]+) a night/.exec(text)[1].replaceAll(',', ''));
  const once = dollars(simulate(...small)['rows-read']);
  const twice = dollars(simulate(...small, '--price-rows-read', '0.002')['rows-read']);
  assert.ok(Math.abs(twice / once - 2) < 0.01);
  const { status, stderr } = spawnSync(process.execPath, [SIMULATION, '--price-rows-read', 'much']);
  assert.deepEqual([status, /is not a number/.test(String(stderr))], [2, true]);
});
