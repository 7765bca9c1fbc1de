import { join } from 'node:path';
import { formatNamed } from '../../domain/export/format.ts';
import type { ExportTarget, FileTarget } from '../config/export-targets.ts';
import { fileSink } from './file.ts';
import { httpSink } from './http.ts';
import { otlpSink } from './otlp.ts';
import type { Sink } from './sink.ts';
import { portOf, syslogSink } from './syslog.ts';

export interface Place {
  readonly dataDir: string;
  readonly region: string;
}

export function openSink(target: ExportTarget, { dataDir, region }: Place): Promise<Sink> {
  const format = formatNamed(target.format, region);
  switch (target.type) {
    case 'file':
      return fileSink(target, directoryOf(target, dataDir), format);
    case 'syslog':
      return syslogSink(target, format);
    case 'http':
      return httpSink(target, format);
    case 'otlp':
      return otlpSink(target, format, region);
  }
}

export const directoryOf = ({ id, dir }: Pick<FileTarget, 'id' | 'dir'>, dataDir: string): string =>
  dir ?? join(dataDir, 'audit', 'export', id);

/** For people; without what may be secret in an address. */
export function whereTo(target: ExportTarget, dataDir: string): string {
  switch (target.type) {
    case 'file':
      return directoryOf(target, dataDir);
    case 'syslog':
      return `syslog${target.tls ? '+tls' : ''}://${target.host}:${portOf(target)}`;
    case 'http':
    case 'otlp':
      return new URL(target.url).origin;
  }
}
