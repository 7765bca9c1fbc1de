import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NameEvent, name, nameStream } from '../../domain/metadef/names.ts';
import { specOf } from '../support/spec.ts';

const given = specOf(name);
const claimed = (claimId: string, supersedes: string | null = null): NameEvent => ({
  type: 'MetadefNameClaimed',
  data: { name: 'x', claimId, namespaceId: `of ${claimId}`, supersedes },
});
const claim = (claimId: string, supersedes: string | null = null) =>
  ({
    type: 'ClaimName',
    name: 'x',
    claim: { claimId, namespaceId: `of ${claimId}` },
    supersedes,
  }) as const;

test('a name is claimed by who names the claim before it', () => {
  given().when(claim('a')).records(claimed('a'));
  given(claimed('a')).when(claim('b')).refused('name-contested');
  given(claimed('a')).when(claim('b', 'a')).records(claimed('b', 'a'));
  given(claimed('a'), claimed('b', 'a')).when(claim('c', 'a')).refused('name-contested');
});

test('no two names share a stream, and every stream is plain text', () => {
  const names = [
    ...[
      'a b',
      'a=20b',
      'a%20b',
      'a/b',
      'a=2Fb',
      'A/B',
      '\u00e4',
      'a\u0308',
      "a'b",
      'a~b',
      'a.b',
      'a*b',
    ],
    ...['日本', '🙂', '=', '%', '%25', '=25', '-', '_', 'OS::Compute::CPU'],
  ];
  const streams = names.map(nameStream);
  assert.equal(new Set(streams).size, names.length);
  for (const stream of streams) assert.match(stream, /^metadefname-[A-Za-z0-9_=-]+$/);
  assert.equal(nameStream('OS::Größe (1)'), 'metadefname-OS=3A=3AGr=C3=B6=C3=9Fe=20=281=29');
  assert.ok(nameStream('🙂'.repeat(80)).length < 1000);
});
