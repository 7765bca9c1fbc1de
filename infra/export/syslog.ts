import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { connect as connectTls } from 'node:tls';
import type { Format } from '../../domain/export/format.ts';
import type { ExportRecord } from '../../domain/export/record.ts';
import { syslogMessage } from '../../domain/export/syslog.ts';
import type { SyslogTarget } from '../config/export-targets.ts';
import type { Sink } from './sink.ts';
import { type TlsMaterial, tlsMaterial } from './tls.ts';

const mostAtOnce = 500;

/** How long we listen before we end our side: whoever ends theirs by then has done so whatever we sent. */
const listenForMs = 100;

/**
 * RFC 5424 messages in frames that count octets, over TCP (RFC 6587, 3.4.1) or TLS (RFC 5425).
 *
 * Syslog has no receipts, and a write that succeeded is in our kernel, no more. So each batch has a connection of its own,
 * which we end first: the receiver reads up to that end, and only then ends its side. That it did so in this order, and
 * without an error, is all that TCP can tell; anything else, and the batch is sent again. Ends that cross on the way look
 * the same, so that ours waits a moment for that of a receiver (or a proxy before it) which takes a connection only to end it.
 * What the receiver had read and lost before it kept it nobody learns of.
 */
export async function syslogSink(target: SyslogTarget, format: Format): Promise<Sink> {
  const material = await tlsMaterial(target);
  const frame = framing(target, format);
  let socket: Socket | undefined;
  return {
    most: mostAtOnce,
    reach: undefined,
    async send(records) {
      const frames = Buffer.from(records.map(frame).join(''));
      socket = connectionTo(target, material);
      await delivered(socket, frames, target['timeout-ms']);
    },
    async idle() {},
    hangUp: () => void socket?.destroy(),
    async close() {},
  };
}

export const portOf = ({ port, tls }: Pick<SyslogTarget, 'port' | 'tls'>): number =>
  port ?? (tls ? 6_514 : 601);

function framing(target: SyslogTarget, { document, abridged }: Format) {
  const options = {
    facility: target.facility,
    hostName: hostname(),
    enterpriseNumber: target['enterprise-number'],
  };
  return (record: ExportRecord): string => {
    const whole = syslogMessage(record, JSON.stringify(document(record)), options);
    const isLong = Buffer.byteLength(whole) > target['max-message-bytes'];
    const message = isLong
      ? syslogMessage(record, JSON.stringify(abridged(record)), options)
      : whole;
    return `${Buffer.byteLength(message)} ${message}`;
  };
}

export function connectionTo(target: SyslogTarget, { ca, ...own }: TlsMaterial): Socket {
  const to = { host: target.host, port: portOf(target) };
  if (!target.tls) return connectTcp(to);
  return connectTls({
    ...to,
    ...own,
    ...(ca === undefined ? {} : { ca: [...ca] }),
    ...(isIP(target.host) === 0 ? { servername: target.host } : {}),
    minVersion: 'TLSv1.2',
  });
}

/** Resolves when the receiver has ended its side after ours. */
const delivered = (socket: Socket, bytes: Buffer, timeoutMs: number): Promise<void> =>
  new Promise((resolve, reject) => {
    let hasEnded = false;
    let isConfirmed = false;
    socket.setTimeout(timeoutMs, () =>
      socket.destroy(
        new Error(
          hasEnded
            ? `the receiver has not ended the connection ${timeoutMs} ms after we did: whether it has read everything is unknown`
            : `the receiver has read nothing for ${timeoutMs} ms`,
        ),
      ),
    );
    socket.once('finish', () => {
      hasEnded = true;
    });
    socket.once('end', () => {
      isConfirmed = hasEnded;
    });
    socket.once('error', reject);
    socket.once('close', () => {
      if (isConfirmed) resolve();
      else reject(new Error('the receiver ended the connection before everything was sent'));
    });
    socket.resume();
    const pause = Math.min(listenForMs, timeoutMs / 2);
    socket.write(bytes, () => setTimeout(() => socket.destroyed || socket.end(), pause));
  });
