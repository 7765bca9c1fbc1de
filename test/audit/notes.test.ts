import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkpointFrom, checkpointText } from '../../infra/audit/checkpoint.ts';
import { BadKey, newSigningKey, signingKeyFrom, verifierKeyFrom } from '../../infra/audit/keys.ts';
import { NoteRefused, openedNote, signedNote } from '../../infra/audit/note.ts';

/** The key and the note that `golang.org/x/mod/sumdb/note` tests itself with; Ed25519 signs the same text the same way. */
const secret = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
const publicKey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const text =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const note = `${text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;

describe('A signed note (C2SP signed-note)', () => {
  test('is byte for byte the published one', () => {
    const key = signingKeyFrom(secret);
    assert.equal(key.text, publicKey);
    assert.equal(key.secret, secret);
    assert.equal(signedNote(text, [key]), note);
    assert.equal(openedNote(note, [verifierKeyFrom(publicKey)]).text, text);
  });

  test('is refused when anything of it was changed', () => {
    const known = [verifierKeyFrom(publicKey)];
    for (const [from, to] of [
      ['cryptography', 'cryptographY'],
      ['x08go/Z', 'x08go/a'],
      ['— PeterNeumann', '— PeterNewman'],
      ['\n\n', '\n'],
      ['nAM=\n', 'nAM='],
    ] as const)
      assert.throws(() => openedNote(note.replace(from, to), known), NoteRefused, from);
  });

  test('is known by any of its keys, and not by others', () => {
    const [one, other] = [newSigningKey('example.com/log'), newSigningKey('example.com/log')];
    const both = signedNote(text, [one, other]);
    assert.deepEqual(
      openedNote(both, [other]).by.map(({ id }) => id),
      [other.id],
    );
    assert.throws(() => openedNote(both, [newSigningKey('example.com/log')]), NoteRefused);
  });

  test('keys are refused when their id does not fit, or they are of another kind', () => {
    for (const key of [
      publicKey.replace('c74f', 'c74e'),
      publicKey.replace('PeterN', 'PeterM'),
      publicKey.replace('+AR', '+ZR'),
      publicKey.slice(0, -4),
      `${publicKey} `,
      secret,
    ])
      assert.throws(() => verifierKeyFrom(key), BadKey, key);
    assert.throws(() => newSigningKey('two words'), BadKey);
    assert.throws(() => newSigningKey('one+one'), BadKey);
  });
});

describe('A checkpoint (C2SP tlog-checkpoint)', () => {
  test('is the three lines of the specification, and more may follow', () => {
    const example =
      'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';
    const checkpoint = checkpointFrom(`${example}an extension\n`);
    assert.equal(checkpoint.size, 20_852_163);
    assert.equal(checkpointText(checkpoint), example);
  });

  test('is refused with another size or root than there can be', () => {
    const root = Buffer.alloc(32).toString('base64');
    for (const text of [
      `o\n01\n${root}\n`,
      `o\n-1\n${root}\n`,
      'o\n1\nAAAA\n',
      `\n1\n${root}\n`,
      '',
    ])
      assert.throws(() => checkpointFrom(text), NoteRefused, text);
  });
});
