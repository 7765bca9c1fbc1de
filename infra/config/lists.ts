import { isIP } from 'node:net';
import { z } from 'zod';

/** As the file has it, as a flag or a variable spells it with commas, or one alone. */
const listOf = <Item extends z.ZodType>(item: Item, error: string) =>
  z.preprocess(
    (given) =>
      typeof given === 'string'
        ? given.split(',').flatMap((one) => (one.trim() === '' ? [] : [one.trim()]))
        : typeof given === 'number'
          ? [given]
          : given,
    z.array(item, { error }),
  );

const host = 'must be host names or addresses, separated by commas';
export const nameList = listOf(
  z
    .string({ error: host })
    .regex(/^(\[[0-9A-Fa-f:.]+\]|[^\s/:@]+)$/, { error: host })
    .transform((name) => name.toLowerCase()),
  host,
);

const words = 'must be words, separated by commas';
export const wordList = listOf(z.string({ error: words }).min(1, { error: words }), words);

const port = 'must be ports, separated by commas';
export const portList = listOf(
  z.preprocess(
    (given) => (typeof given === 'string' && /^\d+$/.test(given) ? Number(given) : given),
    z.int({ error: port }).min(1, { error: port }).max(65_535, { error: port }),
  ),
  port,
);

const seconds = 'must be numbers of seconds from 1 to 604800, separated by commas';
export const secondsList = listOf(
  z.preprocess(
    (given) => (typeof given === 'string' && /^\d+$/.test(given) ? Number(given) : given),
    z.int({ error: seconds }).min(1, { error: seconds }).max(604_800, { error: seconds }),
  ),
  seconds,
).refine((given) => given.length > 0, { error: seconds });

const network = 'must be networks such as 10.0.0.0/8, separated by commas';
export const networkList = listOf(
  z.string({ error: network }).refine(isNetwork, { error: network }),
  network,
);

function isNetwork(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/');
  const family = isIP(address);
  return (
    rest.length === 0 &&
    family !== 0 &&
    /^\d{1,3}$/.test(bits) &&
    Number(bits) <= (family === 4 ? 32 : 128)
  );
}
