// Whatever the platform can hold comes out exactly: the object is byte for byte that of `partway export`, in one
// slice and in slices of one small part.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Splitter } from '../../../tests/workerd/split.mjs';
import { CASES, MORE } from './cases.mjs';
import { World, exported, sha256 } from './harness.mjs';

let world;
before(async () => {
  world = await World.start();
});
after(() => world.stop());

/** Exports by alarms in real time. */
async function dump(subject) {
  const status = await subject.ended(await subject.start());
  assert.equal(status.status, 'done', status.error);
  assert.deepEqual(await subject.leftovers(), []);
  return status;
}

for (const [number, { name, sql, again, partSize = 4096 }] of [...CASES, ...MORE].entries()) {
  test(name, async (context) => {
    const small = { bucket: 'memory', prefix: `${number}/`, partSize, budget: { alarmParts: 50 } };
    const subject = world.subject(`case ${number}`, small);
    const splitter = new Splitter();
    // The platform has transactions of its own.
    const statements = [...splitter.push(sql), ...splitter.end()].filter((text) => !/^(BEGIN|COMMIT);?$/.test(text));
    const results = await subject.post('sql', statements).catch((error) => {
      context.diagnostic(`the platform can't hold it: ${error.message.slice(0, 200)}`);
      return null;
    });
    if (results === null) return;
    const refused = results.filter(({ error }) => error !== undefined);
    if (refused.length > 0) {
      assert.ok(number >= CASES.length, refused[0].error);
      context.diagnostic(`the platform refuses ${refused.length} of ${statements.length} statements: ${refused[0].error}`);
    }
    const status = await dump(subject);
    if (again !== undefined) await subject.sql(again);
    const expected = exported(await world.copy(subject));
    const stored = await world.stored(`${number}/${status.name}`, 'memory');
    assert.equal(sha256(stored), status.sha256);
    if (!stored.equals(expected)) assert.equal(stored.toString('latin1'), expected.toString('latin1'));

    // The same object again, by an exporter with R2's smallest parts.
    const d1 = await subject.ended(await subject.start({ target: 'd1' }));
    assert.equal(d1.sha256, sha256(exported(await world.copy(subject), ['--target', 'd1'])));
  });
}
