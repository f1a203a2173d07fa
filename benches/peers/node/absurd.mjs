// Absurd: a task of six steps. Its schema comes from absurdctl. POLL is the seconds between looks.
import {Absurd} from 'absurd-sdk';
import pg from 'pg';
import {STEPS, clients, count, enqueueAll, mode, noted, oneByOne, payload, url, workUntilTold} from './common.mjs';

const quiet = {log() {}, info() {}, warn() {}, error(...words) { console.error(...words); }};

function connect(max) {
  const pool = new pg.Pool({connectionString: url, max});
  pool.on('error', () => {});
  const app = new Absurd({db: pool, queueName: 'tickets', log: quiet});
  app.registerTask({name: 'ticket'}, async ({id}, context) => {
    noted.begun = performance.now();
    for (const step of STEPS) await context.step(step, async () => payload(id, step));
    noted.done++;
    return {ok: true};
  });
  return {app, pool};
}

const work = (app, concurrency) =>
  app.startWorker({concurrency, claimTimeout: 120, pollInterval: Number(process.env.POLL || 0.25)});
const spawn = app => number => app.spawn('ticket', {id: number, prev: payload(number, 'in')});

if (mode === 'setup') {
  const {app, pool} = connect(2);
  await app.createQueue('tickets');
  await pool.end();
  process.exit(0);
} else if (mode === 'enqueue') {
  await enqueueAll(spawn(connect(clients).app));
} else if (mode === 'work') {
  const {app, pool} = connect(Math.min(count, 30) + 2);
  const worker = await work(app, count);
  workUntilTold(async () => {
    await worker.close();
    await pool.end();
  });
} else if (mode === 'lat') {
  const {app} = connect(8);
  await work(app, 4);
  await oneByOne(spawn(app), async ({taskID}) => (await app.fetchTaskResult(taskID))?.state === 'completed');
}
