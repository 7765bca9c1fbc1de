import { parseArgs } from 'node:util';

export const usage = `Usage: npm run bench -- [--quick] [--bus] [--webhooks] [--stream] [--uploads]
                        [--history] [--audit] [--json FILE]
       npm run bench -- --against URL [--against-pids PID,PID] [--member USER:PASSWORD:PROJECT]
                        [--rounds N] [--seconds N] [--images N] [--only TEXT,TEXT]
                        [--seeded | --keep] [--chart FILE] [--quick] [--json FILE]
       npm run bench -- --scale N [--seconds N] [--quick] [--json FILE]
       npm run bench -- --steady [--requests N] [--gib N] [--seconds N] [--quick] [--json FILE]

Measures the embedded profile on this machine, the client on the same cores. It runs
in a temporary data directory, on a free port, and removes what it made.

  --bus          JetStream as well: needs nats-server
  --webhooks     a webhook as well
  --stream       a client of server-sent events as well
  --uploads      many images of 10 MiB as well, with one worker and with two
  --history      images as they were, against images as they are, as well
  --audit        the audit tree: how fast it is made and proves; and what all of the audit
                 adds to a create, as well
  --quick        small counts: shows that it works, not how fast
  --json FILE    the figures as JSON, too
  --seconds N    each kind of request is measured at least so long (3), after a third
                 of it that does not count

Against another Image API, both in turn, medians of rounds:

  --against URL  the other. With OS_AUTH_URL and the clients' other variables, an
                 administrator's, both ask that Keystone; without them neither asks one
  --against-pids its processes, its database's too, whose CPU and memory count
  --member WHO   who lists as a member; without a Keystone the token to send
  --rounds N     default 3
  --images N     in the catalogue of each (10,000)
  --only TEXTS   only phases whose names begin so: show,"list of 25"
  --keep         the catalogue that was made there stays: images tagged seed ...
  --seeded       ... which are used again, and stay
  --chart FILE   draws what was reached as SVG

Against itself, systems of its own:

  --scale N      so many images, through the log, against 1,000; and a rebuild
  --steady       memory over --requests (100,000) and over an upload of --gib (20); event
                 loops while four of 1 GiB run; rates with one gateway and with two
`;

export type Options = ReturnType<typeof optionsFrom>;

export const optionsFrom = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      bus: { type: 'boolean', default: false },
      webhooks: { type: 'boolean', default: false },
      stream: { type: 'boolean', default: false },
      uploads: { type: 'boolean', default: false },
      history: { type: 'boolean', default: false },
      audit: { type: 'boolean', default: false },
      json: { type: 'string' },
      seconds: { type: 'string' },
      against: { type: 'string' },
      'against-pids': { type: 'string', default: '' },
      member: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      images: { type: 'string' },
      only: { type: 'string', default: '' },
      keep: { type: 'boolean', default: false },
      seeded: { type: 'boolean', default: false },
      chart: { type: 'string' },
      scale: { type: 'string' },
      steady: { type: 'boolean', default: false },
      requests: { type: 'string' },
      gib: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  }).values;
