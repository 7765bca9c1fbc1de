import { z } from 'zod';

/** One row of a table of settings; without a placeholder it is a switch. */
export const setting = <Schema extends z.ZodType>(
  schema: Schema,
  help: string,
  placeholder?: string,
) => ({
  schema,
  help,
  ...(placeholder === undefined ? {} : { placeholder }),
});

/** As the file has it, or as a flag or a variable spells it; nothing else becomes a number, least of all nothing. */
export const whole = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.preprocess(
    (given) => (typeof given === 'string' && /^-?[\d.]+$/.test(given) ? Number(given) : given),
    z.number({ error }).int({ error }).min(min, { error }).max(max, { error }),
  );
};
export const port = whole(0, 65535);
export const count = whole(1, 1024);
export const milliseconds = whole(100, 86_400_000);
export const seconds = whole(1, 3_153_600_000);
export const bytes = whole(1, Number.MAX_SAFE_INTEGER);
export const anyText = z.string({ error: 'must be text' });
export const anyTextOrList = z.union(
  [anyText.transform((list) => list.split(',')), z.array(anyText)],
  {
    error: 'must be a list',
  },
);
export const text = anyText.min(1, { error: 'must not be empty' });
export const oneOf = <const Word extends string>(...words: readonly Word[]) =>
  z.enum(words, { error: `must be one of ${words.join(', ')}` });
export const url = (...schemes: readonly string[]) =>
  anyText.refine((given) => schemes.some((scheme) => given.startsWith(`${scheme}://`)), {
    error: `must begin with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
  });
const quantity = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 };
/** As Glance has it: a whole number and perhaps B, KB, MB, GB or TB, in powers of 1024; becomes bytes. */
export const size = z
  .union([z.string(), z.number().int().min(0)], { error: 'must be a size such as 500GB, or 0' })
  .transform((given, context) => {
    const [, digits, unit = 'B'] = /^(\d+)([KMGT]?B)?$/.exec(String(given)) ?? [];
    const amount = Number(digits) * quantity[unit as keyof typeof quantity];
    if (Number.isSafeInteger(amount)) return amount;
    context.addIssue({ code: 'custom', message: 'must be a size such as 500GB, or 0' });
    return z.NEVER;
  });
export const trueOrFalse = z
  .union([z.boolean(), z.enum(['true', 'false', '1', '0', 'yes', 'no', ''])], {
    error: 'must be true or false',
  })
  .transform(
    (value) =>
      value === true || value === 'true' || value === '1' || value === 'yes' || value === '',
  );
export const limit = whole(-1, 1_000_000);
