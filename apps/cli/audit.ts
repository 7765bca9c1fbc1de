import { randomUUID } from 'node:crypto';
import { reportText } from '../../infra/audit/verifier.ts';
import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { personalRecords } from '../../infra/personal/records.ts';
import { alarmOf, checkLog } from '../audit/check.ts';
import { eraseUser } from '../audit/erase.ts';
import { rotateKeys } from '../audit/signing.ts';
import { type AuditArguments, auditArguments } from './audit-arguments.ts';
import { verifyFile, writeBundle } from './audit-bundle.ts';
import { auditExport } from './audit-export.ts';
import { auditStatus } from './audit-status.ts';
import { type AuditTools, withAuditTools } from './audit-tools.ts';
import { asksForHelp, type Command, UsageError } from './command.ts';
import { operatorOf } from './operator.ts';

const usage = `Usage: daguerre audit status [--json] [FLAGS]
       daguerre audit checkpoint | key | keys [FLAGS]
       daguerre audit keys rotate [--overlap-hours HOURS] [--lost] [FLAGS]
       daguerre audit check | rebuild [FLAGS]
       daguerre audit bundle IMAGE | --all | --from P --to P [--since SIZE|FILE] [-o FILE] [FLAGS]
       daguerre audit verify BUNDLE --key KEY [--seen FILE]
       daguerre audit erase USER [FLAGS]
       daguerre audit export [--json] | export rewind ID --to P | export skip|forget ID [FLAGS]

Whether the log is what it was. A Merkle tree over every event is kept and signed; a bundle of
the log and its tree is verified offline, with the public key alone.

  status            how far the tree is, what was signed, what is wrong, where checkpoints were sent
  checkpoint        the newest, as a C2SP signed note
  key, keys         the public key that signs now; all there were, and the hand-overs between them
  keys rotate       a new key signs from now on; the old one signs the hand-over
  --overlap-hours H how long the old one signs as well [24]
  --lost            the old one is gone: nothing signs the hand-over
  check             compares every event with the tree; ends with 1, and says where, if they differ
  rebuild           throws the tree away; a running projector makes it again, and signs only the same
  bundle            an image's history, or the events of a range of positions, with what proves them
  --since SIZE      also that the tree grew out of this one; of a checkpoint's file, or its size
  -o FILE           where to [standard output]
  verify            needs nothing but the bundle; --key may be said again
  --seen FILE       a checkpoint that was kept elsewhere: the bundle must agree with it
  erase             takes away what is personal of a user: name, addresses and agents, not the id
  export            how far each target of the export is, and what holds it up
  export rewind     has a target told again what comes after a position; of files, move those away first
  export skip       passes over the record that a target refuses; the log keeps that it was
  export forget     of a target that is no more

${settingsHelp()}
`;

/** Gives what to say, or the exit code of who said it itself. */
type Verb = (tools: AuditTools, given: AuditArguments) => Promise<string | number>;

export const auditCommand: Command = {
  name: 'audit',
  summary: 'whether the log is what was signed: checkpoints, keys, bundles, erasure',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const given = auditArguments(args);
    const [name = ''] = given.words;
    if (name === 'verify') return verifyFile(given);
    const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
    if (verb === undefined)
      throw new UsageError(`say ${Object.keys(verbs).join(', ')} or verify; --help tells more`);
    const config = configFrom(given.settings, environment);
    const said = await withAuditTools(config, (tools) => verb(tools, given));
    if (typeof said === 'number') return said;
    if (said !== '') process.stdout.write(said.endsWith('\n') ? said : `${said}\n`);
    return 0;
  },
};

const key: Verb = async ({ memory }) => {
  const newest = (await memory.keys()).at(-1);
  if (newest === undefined) throw new Error('there is no key yet: a running projector makes it');
  return newest.verifierKey;
};

const keys: Verb = async (tools, given) => {
  if (given.words[1] === 'rotate') return rotate(tools, given);
  const known = await tools.memory.keys();
  return known
    .map(
      ({ verifierKey, fromSize, since, handOver }, number) =>
        `${verifierKey}\n  signs from ${fromSize} events on, since ${since.toISOString()}${number === 0 ? '' : handOver === null ? ', without a hand-over' : ', handed over to by the one before'}`,
    )
    .join('\n');
};

const hourMs = 3_600_000;

const rotate: Verb = async ({ signing, newest }, given) => {
  const hours = Number(given.last('overlap-hours') ?? 24);
  if (!(hours >= 0 && hours <= 8_760)) throw new UsageError('--overlap-hours is from 0 to 8760');
  const now = new Date();
  const until = new Date(now.getTime() + hours * hourMs);
  const head = await newest();
  const { from, to } = await rotateKeys(signing, { head, until, isLost: given.has('lost'), now });
  const overlap =
    from === undefined ? 'it signs alone' : `${from.id} signs as well until ${until.toISOString()}`;
  return `${to.text}\n  signs from ${head.size} events on; ${overlap}`;
};

const check: Verb = async ({ ports, memory, newest }) => {
  const head = await newest();
  const report = await checkLog(ports, head);
  process.stdout.write(reportText(report));
  if (report.ok) await memory.checked(head.size);
  else await memory.raise(alarmOf(report));
  return report.ok ? 0 : 1;
};

const rebuild: Verb = async ({ store }) => {
  await store.drop();
  return 'thrown away; a running projector makes it again';
};

const erase: Verb = async ({ log, besideLog }, given) => {
  const [, userId] = given.words;
  if (userId === undefined) throw new UsageError('say which user, by id');
  const personal = await personalRecords(besideLog).remember(operatorOf('daguerre audit erase'));
  const correlationId = randomUUID();
  const records = await eraseUser({ log, besideLog }, userId, {
    actor: { kind: 'system', part: 'cli' },
    requestId: `req-${correlationId}`,
    correlationId,
    personal,
  });
  return `${userId}: ${records} records erased`;
};

const verbs: Readonly<Record<string, Verb>> = {
  status: auditStatus,
  checkpoint: async ({ newest }) => (await newest()).note,
  key,
  keys,
  check,
  rebuild,
  bundle: writeBundle,
  erase,
  export: auditExport,
};
