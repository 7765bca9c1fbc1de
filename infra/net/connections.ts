import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { type Admitted, hostOf } from './address-guard.ts';

/** Connections that are kept for the next request to the same host at the same addresses. */
export interface Connections {
  agentFor(to: Admitted): HttpAgent;
  /** Ends those that nobody uses. */
  close(): void;
}

export interface ConnectionsOptions {
  /** An unused one is closed after so long. */
  readonly idleMs?: number;
  /** Unused ones per host. */
  readonly mostIdle?: number;
  /** Certificate authorities to believe beside the usual ones, as PEM. */
  readonly ca?: string;
}

const mostHosts = 64;

/**
 * A kept connection leads to an address that the guard let through when it was made. It serves a later request only where
 * the guard lets the same addresses through again, so that a name cannot lead elsewhere later than a new one could.
 */
export function keptConnections({
  idleMs = 10_000,
  mostIdle = 8,
  ca,
}: ConnectionsOptions = {}): Connections {
  const agents = new Map<string, HttpAgent>();
  const options = {
    keepAlive: true,
    timeout: idleMs,
    maxFreeSockets: mostIdle,
    scheduling: 'lifo',
    ...(ca === undefined ? {} : { ca }),
  } as const;

  const make = (name: string, { url }: Admitted): HttpAgent => {
    const agent = url.protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options);
    agents.set(name, agent);
    // Those that are in use go on; they are kept no longer than their use.
    for (const [oldest, leaving] of agents) {
      if (agents.size <= mostHosts) break;
      agents.delete(oldest);
      endIdle(leaving);
    }
    return agent;
  };

  return {
    agentFor(to) {
      const name = `${to.url.protocol}//${hostOf(to.url)}:${to.url.port} ${[...to.addresses].sort()}`;
      const agent = agents.get(name);
      if (agent === undefined) return make(name, to);
      agents.delete(name);
      agents.set(name, agent);
      return agent;
    },
    close() {
      for (const agent of agents.values()) endIdle(agent);
      agents.clear();
    },
  };
}

function endIdle(agent: HttpAgent): void {
  for (const sockets of Object.values(agent.freeSockets))
    for (const socket of sockets ?? []) socket.destroy();
}
