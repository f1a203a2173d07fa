// What the peers in TypeScript have in common: the six steps, their results of about 300 bytes, and the modes' output.

export const STEPS = ['classify', 'extract', 'research', 'draft', 'review', 'finalize'];
export const url = process.env.DATABASE_URL;

const [, , modeArgument, countArgument, clientsArgument] = process.argv;
export const mode = modeArgument;
/// Workflows of `enqueue` and `lat`; what `work` does at once.
export const count = Number(countArgument);
export const clients = Number(clientsArgument) || 16;

/// What the workflows note of themselves: how many are done, and when the first step of the last one began.
export const noted = {done: 0, begun: 0};

export const payload = (id, step) => ({step, id, ok: true, text: 'x'.repeat(240)});
export const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

/// `enqueue`: hands in `count` workflows from so many clients at once.
export async function enqueueAll(enqueue) {
  let next = 0;
  const started = performance.now();
  await Promise.all(Array.from({length: clients}, async () => {
    while (next < count) await enqueue(next++);
  }));
  console.log(JSON.stringify({n: count, secs: (performance.now() - started) / 1000}));
  process.exit(0);
}

/// `work`: says how many workflows are done until a line or the end of the input tells it to stop.
export function workUntilTold(stop) {
  console.log('READY');
  setInterval(() => console.log(`C ${noted.done}`), 200);
  const end = async () => {
    await Promise.race([Promise.resolve(stop()).catch(() => {}), sleep(5000)]);
    process.exit(0);
  };
  process.stdin.once('data', end).once('end', end);
}

/// `lat`: one workflow after the other, with pauses so that none profits from the one before.
export async function oneByOne(enqueue, isDone) {
  const pickup = [], total = [];
  for (let number = 0; number < count; number++) {
    noted.begun = 0;
    const done = noted.done;
    const started = performance.now();
    const handle = await enqueue(number);
    while (noted.done === done) await sleep(0);
    while (!await isDone(handle)) await sleep(0);
    total.push(performance.now() - started);
    pickup.push(noted.begun - started);
    await sleep(10 + Math.random() * Number(process.env.GAP || 37));
  }
  console.log(JSON.stringify({pickup, total}));
  process.exit(0);
}
