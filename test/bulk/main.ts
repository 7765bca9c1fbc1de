import { parseArgs } from 'node:util';
import { runCampaign } from './campaign.ts';

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '10000' },
    'kill-every': { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now()) },
    'timeout-minutes': { type: 'string', default: '120' },
  },
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const images = Number(values.images);
say(`${images} images, a kill every ${values['kill-every']} s, seed ${values.seed}`);
const figures = await runCampaign({
  images,
  killEverySeconds: Number(values['kill-every']),
  seed: values.seed,
  say,
  timeoutMs: Number(values['timeout-minutes']) * 60_000,
});
say(
  JSON.stringify({
    images,
    imagesPerSecond: Number((images / figures.seconds).toFixed(1)),
    ...figures,
  }),
);
