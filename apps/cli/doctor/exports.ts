import { once } from 'node:events';
import { access, constants } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Config } from '../../../infra/config/config.ts';
import type { ExportTarget, SyslogTarget } from '../../../infra/config/export-targets.ts';
import { directoryOf } from '../../../infra/export/open-sink.ts';
import { connectionTo } from '../../../infra/export/syslog.ts';
import { tlsMaterial } from '../../../infra/export/tls.ts';
import { isMissing } from '../../../infra/files/files.ts';
import { examine, type Finding, type Findings } from './finding.ts';

const withinMs = 5_000;

/** Whether each target of the audit export is there; nothing is sent to it. */
export async function examineExports(config: Config): Promise<readonly Finding[]> {
  const found = await Promise.all(
    config['audit-export-targets'].map((target) =>
      examine(
        `export ${target.id}`,
        (findings) => lookAt(target, config['data-dir'], findings),
        'what it is not told now it is told when it is back',
      ),
    ),
  );
  return found.flat();
}

async function lookAt(target: ExportTarget, dataDir: string, found: Findings): Promise<void> {
  switch (target.type) {
    case 'file': {
      const directory = directoryOf(target, dataDir);
      await access(directory, constants.W_OK).then(
        () => found.ok(`${directory} can be written to`),
        (error: unknown) => {
          if (!isMissing(error)) throw error;
          found.warn(`${directory} is not there yet: the first export makes it`);
        },
      );
      return;
    }
    case 'syslog':
      await syslog(target);
      found.ok(`${target.host} takes connections${target.tls ? ' with TLS' : ''}`);
      return;
    case 'http':
    case 'otlp': {
      const { hostname, port, protocol } = new URL(target.url);
      await tlsMaterial(target);
      const host = hostname.replace(/^\[(.*)\]$/, '$1');
      await opened(connect({ host, port: Number(port || (protocol === 'https:' ? 443 : 80)) }));
      found.ok(`${hostname} takes connections`);
      return;
    }
  }
}

async function syslog(target: SyslogTarget): Promise<void> {
  const event = target.tls ? 'secureConnect' : 'connect';
  await opened(connectionTo(target, await tlsMaterial(target)), event);
}

async function opened(socket: ReturnType<typeof connect>, event = 'connect'): Promise<void> {
  try {
    await once(socket, event, { signal: AbortSignal.timeout(withinMs) });
  } finally {
    socket.on('error', () => {});
    socket.destroy();
  }
}
