import { reasonOf } from '../../reason.ts';

/** What one look at something came to. */
export interface Finding {
  /** What was looked at: `redis`, `store fast`. */
  readonly of: string;
  readonly verdict: 'ok' | 'warn' | 'fail';
  /** What is so and, where that is wrong, what to do. One line, without any password. */
  readonly says: string;
}

/** Looks at one thing after the other. */
export interface Findings {
  ok(says: string): void;
  warn(says: string): void;
  fail(says: string): void;
}

/**
 * What `look` finds. Where it throws, that is a failure with the reason, and `advice` for it; what it found before counts.
 */
export async function examine(
  of: string,
  look: (found: Findings) => Promise<void>,
  advice = '',
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const found = (verdict: Finding['verdict']) => (says: string) => {
    findings.push({ of, verdict, says: oneLine(says) });
  };
  try {
    await look({ ok: found('ok'), warn: found('warn'), fail: found('fail') });
  } catch (error) {
    found('fail')([reasonOf(error), advice].filter((part) => part !== '').join('; '));
  }
  return findings;
}

const oneLine = (text: string): string => withoutPasswords(text).replaceAll(/\s*\n\s*/g, ' ');

const withoutPasswords = (text: string): string => text.replaceAll(/(\w:\/\/)[^@/\s]+@/g, '$1***@');
