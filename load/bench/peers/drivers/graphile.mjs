// One process of Graphile Worker: see __init__.py. `folder`: where it is installed.
import { createHmac, createSecretKey } from "node:crypto";
import http from "node:http";
import { createRequire } from "node:module";

const told = JSON.parse(process.argv[2]);
process.env.NO_LOG_SUCCESS = "1"; // a line for each job costs it time
const { run, Logger } = createRequire(`${told.folder}/`)("graphile-worker");
const key = createSecretKey(Buffer.from(told.secret, "base64"));
const agent = new http.Agent({ keepAlive: true, maxSockets: told.concurrency });
const url = told.url && new URL(told.url);
let started = false;

/** Sign as Standard Webhooks does, and POST. The receiver wants 36 characters as an id. */
function post(number, body) {
  const id = `00000000-0000-7000-8000-${number.padStart(12, "0")}`;
  const timestamp = Math.floor(Date.now() / 1000);
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  const options = {
    agent,
    method: "POST",
    hostname: url.hostname,
    port: url.port,
    path: url.pathname,
    headers: {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(body),
      "User-Agent": "graphile-worker",
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${signature}`,
    },
  };
  return new Promise((resolve, reject) => {
    const request = http.request(options, (answer) => {
      answer.on("error", reject).on("end", () => {
        if (answer.statusCode === 200) resolve();
        else reject(new Error(`answered ${answer.statusCode}`));
      });
      answer.resume();
    });
    request.on("error", reject).end(body);
  });
}

/** Print when the first batch was fetched: with a long local queue that is well before its jobs start. */
function begin(job) {
  if (started) return;
  started = true;
  process.stdout.write(`${job.locked_at.getTime() / 1000}\n`);
}

await run({
  parsedCronItems: [],
  taskList: {
    async noop(_, { job }) {
      begin(job);
    },
    async deliver(payload, { job }) {
      begin(job);
      await post(job.id, JSON.stringify(payload));
    },
  },
  preset: {
    worker: {
      connectionString: told.database_url,
      logger: new Logger(() => (level, message) => {
        if (level === "error" || level === "warning") process.stderr.write(`${message}\n`);
      }),
      concurrentJobs: told.concurrency,
      localQueue: { size: told.queue },
      completeJobBatchDelay: told.complete_ms,
      failJobBatchDelay: told.complete_ms,
    },
  },
});
