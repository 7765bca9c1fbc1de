import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import {
  type Arbitrary,
  array,
  asyncProperty,
  boolean,
  assert as check,
  constant,
  constantFrom,
  integer,
  oneof,
  option,
  record,
} from 'fast-check';
import { DownloadFailed } from '../../infra/download/failures.ts';
import { downloads, expecting, hexOf } from '../support/downloads.ts';
import { type HostileFile, startHostileServer } from '../support/hostile-server.ts';

const server = await startHostileServer();
const { fetch, close } = downloads(server.port);
after(async () => {
  await server.stop();
  await close();
});

/** What the server does about one request; when it has no more of these it is honest. */
type Whim =
  | { readonly kind: 'break'; readonly after: number }
  | { readonly kind: 'answer'; readonly status: number }
  | { readonly kind: 'ignore-range' | 'change' | 'shift' | 'hang-up' };

const whim: Arbitrary<Whim> = oneof(
  record({ kind: constant('break' as const), after: integer({ min: 0, max: 3000 }) }),
  record({ kind: constant('answer' as const), status: constantFrom(429, 500, 503, 416, 400) }),
  record({
    kind: constantFrom(
      'ignore-range' as const,
      'change' as const,
      'shift' as const,
      'hang-up' as const,
    ),
  }),
);

const sizes = array(integer({ min: 0, max: 6000 }), { minLength: 1, maxLength: 3 });
/** How versions are named: never two by the same name, unless a checksum tells them apart. */
const naming = constantFrom(
  'strong' as const,
  'weak' as const,
  'date' as const,
  'none' as const,
  'same' as const,
);

test('whatever a server does, a download is one version of the file or a definite error', async () => {
  const ends = { whole: 0, failed: 0 };
  const runs = asyncProperty(
    record({
      sizes,
      naming,
      whims: array(whim, { maxLength: 12 }),
      parallel: integer({ min: 1, max: 4 }),
      hasChecksum: boolean(),
      segmentBytes: constantFrom(100, 700, 5000),
      limitBytes: option(integer({ min: 0, max: 6000 }), { nil: Number.POSITIVE_INFINITY }),
    }),
    async ({
      sizes: lengths,
      naming: name,
      whims,
      parallel,
      hasChecksum,
      segmentBytes,
      limitBytes,
    }) => {
      const versions = lengths.map((length) => randomBytes(length));
      const left = [...whims];
      let current = 0;
      let doing: Whim | undefined;
      const file: HostileFile = {
        get bytes() {
          return versions[current] ?? Buffer.alloc(0);
        },
        get etag() {
          if (name === 'strong') return `"v${current}"`;
          if (name === 'weak') return `W/"v${current}"`;
          return name === 'same' ? '"v"' : undefined;
        },
        get lastModified() {
          return name === 'date' ? new Date(1_700_000_000_000 + current * 60_000) : undefined;
        },
        get ranges() {
          return doing?.kind !== 'ignore-range';
        },
        breakAfter: () => (doing?.kind === 'break' ? doing.after : undefined),
        lie: (headers) =>
          doing?.kind === 'shift' && headers['Content-Range'] !== undefined
            ? { ...headers, 'Content-Range': `bytes 1-${versions[current]?.length}/999999` }
            : headers,
        instead: (request, response) => {
          doing = left.shift();
          if (doing?.kind === 'change') current = Math.min(current + 1, versions.length - 1);
          if (doing?.kind === 'hang-up') request.socket.destroy();
          if (doing?.kind === 'answer') response.writeHead(doing.status).end();
          return doing?.kind === 'hang-up' || doing?.kind === 'answer';
        },
      };
      const expected = hasChecksum || name === 'same' ? versions.at(-1) : undefined;
      const digests = expected === undefined ? {} : { sha256: hexOf(expected) };
      try {
        const done = await fetch(server.serve(file), {
          parallel,
          segmentBytes,
          limitBytes,
          expected: expecting({ digests }),
        });
        const matching = versions.filter((version) => version.equals(done.bytes));
        assert.ok(matching.length > 0, `${done.size} bytes that are no version of the file`);
        if (expected !== undefined) assert.ok(done.bytes.equals(expected));
        assert.ok(done.size <= limitBytes);
        ends.whole += 1;
      } catch (error) {
        assert.ok(error instanceof DownloadFailed, String(error));
        ends.failed += 1;
      }
    },
  );
  await check(runs, { numRuns: 300 });
  assert.ok(ends.whole > 30 && ends.failed > 30, JSON.stringify(ends));
});
