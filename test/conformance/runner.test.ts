import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { callersByName } from './callers.ts';
import { type Says, section } from './case.ts';
import type { Pending } from './pending.ts';
import { report } from './report.ts';
import { type Result, run } from './run.ts';

const name = 'example';

/** The least endpoint that can be asked: it makes one image of which nothing can be changed. */
const endpoint: RequestListener = (request, response) => {
  const creates = request.method === 'POST' && request.url === '/v2/images';
  response.statusCode = creates ? 201 : request.method === 'DELETE' ? 204 : 404;
  response.end(creates ? '{"id": "an-image"}' : undefined);
};

async function resultsOf(
  t: TestContext,
  define: (says: Says) => void,
  { pending = [], answer = endpoint }: { pending?: Pending[]; answer?: RequestListener } = {},
): Promise<Result[]> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const asked = { base, callers: callersByName(), source: undefined };
  return run([section(name, define)], asked, { parallel: 2, pending });
}

describe('a run of the conformance suite', () => {
  test('tells the request, what was expected and what came', async (t) => {
    const results = await resultsOf(t, (says) => {
      says('it has tags', async ({ demo }) => {
        (await demo.put('/v2/images/x/tags/y', { a: 1 })).is(204);
      });
    });
    assert.equal(
      report(results),
      `FAILED example: it has tags
  request  PUT /v2/images/x/tags/y
           Content-Type: application/json
           {"a":1}
  expected status 204
  got      404${' '}

example  0 passed, 1 failed

0 passed, 1 failed, 0 pending, 0 not offered
0 passed, 1 failed`,
    );
  });

  test('counts what the endpoint does not offer, with the reason', async (t) => {
    const results = await resultsOf(t, (says) => {
      says('it has stores', 'multiple stores', () => assert.fail('this case was run'));
      says('it makes images', async ({ image }) => void (await image()));
    });
    assert.deepEqual(
      results.map(({ verdict, why }) => [verdict, why]),
      [
        ['not offered', 'needs multiple stores: /v2/info/stores names none'],
        ['passed', ''],
      ],
    );
  });

  const pending = (...statements: readonly string[]): Pending[] => [
    { feature: 'tags', cases: statements.map((statement) => `${name}: ${statement}`) },
  ];

  test('does not mind the failure of what is pending', async (t) => {
    const [result] = await resultsOf(
      t,
      (says) => says('it has tags', async ({ demo }) => void (await demo.show('x')).is(200)),
      { pending: pending('it has tags') },
    );
    assert.deepEqual([result?.verdict, result?.why], ['pending', 'tags']);
  });

  test('fails on what is pending and passes', async (t) => {
    const [result] = await resultsOf(t, (says) => says('it has tags', async () => {}), {
      pending: pending('it has tags'),
    });
    assert.equal(result?.verdict, 'failed');
    assert.match(result?.why ?? '', /^no longer pending \(tags\): remove it/);
  });

  test('fails on a pending case that is not there', async (t) => {
    const results = await resultsOf(t, (says) => says('it has tags', async () => {}), {
      pending: pending('it had tags'),
    });
    assert.deepEqual(
      results.map(({ statement, verdict }) => [statement, verdict]),
      [
        ['it has tags', 'passed'],
        ['it had tags', 'failed'],
      ],
    );
  });

  test('fails a case whose images cannot be removed', async (t) => {
    const [result] = await resultsOf(
      t,
      (says) => says('it makes images', async ({ image }) => void (await image())),
      {
        answer: (request, response) => {
          if (request.method === 'DELETE') response.writeHead(403).end();
          else endpoint(request, response);
        },
      },
    );
    assert.equal(result?.verdict, 'failed');
    assert.match(result?.why ?? '', /could not be deleted: an-image/);
  });

  test('fails a case whose connection breaks, and says at which request', async (t) => {
    const [result] = await resultsOf(
      t,
      (says) => says('it answers', async ({ demo }) => void (await demo.get('/v2/broken'))),
      {
        answer: (request, response) => {
          if (request.url === '/v2/broken') request.socket.destroy();
          else endpoint(request, response);
        },
      },
    );
    assert.equal(result?.verdict, 'failed');
    assert.match(result?.why ?? '', /GET \/v2\/broken/);
  });

  test('does not take one statement twice', () => {
    assert.throws(
      () =>
        section(name, (says) => {
          says('it has tags', async () => {});
          says('it has tags', async () => {});
        }),
      /example says twice: it has tags/,
    );
  });
});
