// pg-boss: six chained jobs. BATCH is the batch size (each batch succeeds or fails as one), POLL the seconds between looks.
import PgBoss from 'pg-boss';
import pg from 'pg';
import {STEPS, clients, count, enqueueAll, mode, noted, oneByOne, payload, url, workUntilTold} from './common.mjs';

const BATCH = Number(process.env.BATCH || 20);
const POLL = Number(process.env.POLL || 0.5);

async function start(connections, supervise) {
  const boss = new PgBoss({connectionString: url, max: connections, supervise, schedule: false});
  boss.on('error', error => console.error(error));
  await boss.start();
  return boss;
}

async function work(boss, workersPerStep, batchSize) {
  for (const [position, step] of STEPS.entries()) {
    const next = STEPS[position + 1];
    const handle = async jobs => {
      if (position === 0 && !noted.begun) noted.begun = performance.now();
      const following = jobs.map(({data}) => ({name: next, data: {id: data.id, prev: payload(data.id, step)}}));
      if (!next) noted.done += jobs.length;
      else if (jobs.length === 1) await boss.send(next, following[0].data);
      else await boss.insert(following);
    };
    for (let worker = 0; worker < workersPerStep; worker++) {
      await boss.work(step, {batchSize, pollingIntervalSeconds: POLL}, handle);
    }
  }
}

const send = boss => number => boss.send(STEPS[0], {id: number, prev: payload(number, 'in')});

if (mode === 'setup') {
  const boss = await start(4, false);
  for (const step of STEPS) await boss.createQueue(step);
  await boss.stop({graceful: false});
  process.exit(0);
} else if (mode === 'enqueue') {
  await enqueueAll(send(await start(clients, false)));
} else if (mode === 'work') {
  const boss = await start(20, true);
  await work(boss, Math.max(1, Math.round(count / STEPS.length)), BATCH);
  workUntilTold(() => boss.stop({graceful: false}));
} else if (mode === 'lat') {
  const boss = await start(10, true);
  await work(boss, 1, 1);
  const pool = new pg.Pool({connectionString: url, max: 2});
  const open = "SELECT count(*)::int AS count FROM pgboss.job WHERE state < 'completed'";
  await oneByOne(send(boss), async () => (await pool.query(open)).rows[0].count === 0);
}
