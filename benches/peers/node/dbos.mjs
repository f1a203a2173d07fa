// DBOS Transact: a workflow of six steps, enqueued; alone it is started directly. POLL is the milliseconds between looks.
import {DBOS, DBOSClient} from '@dbos-inc/dbos-sdk';
import pg from 'pg';
import {STEPS, count, enqueueAll, mode, noted, oneByOne, payload, sleep, url, workUntilTold} from './common.mjs';

if (mode === 'enqueue') {
  const client = await DBOSClient.create({systemDatabaseUrl: url});
  await enqueueAll(number => client.enqueue({queueName: 'q', workflowName: 'ticket'}, number, payload(number, 'in')));
}
DBOS.setConfig({
  name: 'bench', systemDatabaseUrl: url, applicationVersion: 'v1', executorID: process.env.WORKER_ID || 'local',
  logLevel: 'warn', runAdminServer: false, systemDatabasePoolSize: 20,
});
const ticket = DBOS.registerWorkflow(async id => {
  noted.begun = performance.now();
  for (const step of STEPS) await DBOS.runStep(async () => payload(id, step), {name: step});
  noted.done++;
  return {ok: true};
}, {name: 'ticket'});
await DBOS.launch();
await DBOS.registerQueue('q', {
  workerConcurrency: mode === 'work' ? count : 20,
  minPollingIntervalMs: Number(process.env.POLL || (mode === 'work' ? 50 : 1000)),
  onConflict: 'always_update',
});

if (mode === 'setup') {
  await DBOS.shutdown();
  process.exit(0);
} else if (mode === 'work') {
  workUntilTold(() => DBOS.shutdown());
} else if (mode === 'lat') {
  const pool = new pg.Pool({connectionString: url, max: 2});
  await sleep(2000);
  const status = 'SELECT status FROM dbos.workflow_status WHERE workflow_uuid = $1';
  await oneByOne(
    number => DBOS.startWorkflow(ticket)(number, payload(number, 'in')),
    async ({workflowID}) => (await pool.query(status, [workflowID])).rows[0].status === 'SUCCESS',
  );
}
