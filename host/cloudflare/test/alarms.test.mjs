// An object has one alarm: exports and the user share it, and none of either is lost.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { World } from './harness.mjs';

let world;
before(async () => {
  world = await World.start();
});
after(() => world.stop());

const SMALL = { bucket: 'memory', partSize: 4096, budget: { alarmParts: 1 } };

async function subjectWithRows(label) {
  const subject = world.subject(label, { ...SMALL, prefix: `${label}/` });
  await subject.sql(
    'CREATE TABLE t (a, b)',
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) INSERT INTO t SELECT i, printf('%.*c', 60, 'x') FROM n",
  );
  return subject;
}

/** Waits until the user's handler has been called so many times. */
async function userCalls(subject, count) {
  for (;;) {
    const calls = (await subject.set({})).log.filter((what) => what.startsWith('user'));
    if (calls.length >= count) return calls;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('the user\u2019s alarm comes when it is due, while exports have theirs', async () => {
  const subject = await subjectWithRows('due');
  const far = Date.now() + 3_600_000;
  assert.deepEqual((await subject.json(`user-alarm?at=${far}`)).user, far);
  const id = await subject.start();
  assert.equal((await subject.ended(id)).status, 'done');
  assert.deepEqual(await subject.json('alarms'), { user: far, object: far });
  assert.deepEqual((await subject.set({})).log.filter((what) => what.startsWith('user')), []);
  await subject.json(`user-alarm?at=${Date.now() + 50}`);
  assert.deepEqual(await userCalls(subject, 1), ['user 0']);
  assert.deepEqual(await subject.json('alarms'), { user: null, object: null });
});

test('both due at the same time are both served, also over evictions', async () => {
  const subject = await subjectWithRows('same');
  const at = Date.now() + 300;
  const id = await subject.start();
  await subject.json(`user-alarm?at=${at}`);
  await subject.evict();
  assert.equal((await subject.ended(id)).status, 'done');
  // Once, and once more if the instance ended in the middle of it.
  const calls = await userCalls(subject, 1);
  assert.equal(calls[0], 'user 0');
  assert.ok(calls.length <= 2, calls.join());
  assert.deepEqual(await subject.json('alarms'), { user: null, object: null });
});

test('an alarm that was set directly in the storage is the user\u2019s, before and during an export', async () => {
  const subject = await subjectWithRows('direct');
  const far = Date.now() + 3_600_000;
  await subject.json(`user-alarm?direct=1&at=${far}`);
  const id = await subject.start();
  await subject.json(`user-alarm?direct=1&at=${Date.now() + 100}`);
  assert.deepEqual(await userCalls(subject, 1), ['user 0']);
  assert.equal((await subject.ended(id)).status, 'done');
});

test('a handler that sets its next alarm directly gets it, and one that fails is called again', async () => {
  const subject = await subjectWithRows('next');
  const id = await subject.start();
  const next = Date.now() + 400;
  await subject.set({ userSetsNext: next, log: [] });
  await subject.json(`user-alarm?at=${Date.now()}`);
  assert.deepEqual(await userCalls(subject, 2), ['user 0', 'user 0']);
  assert.equal((await subject.ended(id)).status, 'done');
  await subject.set({ userFails: 1, log: [] });
  await subject.json(`user-alarm?at=${Date.now()}`);
  assert.deepEqual(await userCalls(subject, 2), ['user 0', 'user 1']);
});

test('an alarm that is deleted does not come, and the exports\u2019 stay', async () => {
  const subject = await subjectWithRows('deleted');
  await subject.set({ isManual: true });
  const id = await subject.start();
  await subject.json(`user-alarm?at=${Date.now() + 3_600_000}`);
  await subject.json('user-alarm?delete=1&at=0');
  await subject.set({ isManual: false, log: [] });
  await subject.json('alarm');
  assert.equal((await subject.ended(id)).status, 'done');
  assert.deepEqual(await subject.json('alarms'), { user: null, object: null });
});
