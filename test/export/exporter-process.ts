import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./exporter-program.js', import.meta.url));

/** An exporter in a process of its own, which `kill` ends at once, whatever it is doing. */
export interface ExporterProcess {
  /** Resolves when it has exported something. */
  readonly began: Promise<unknown>;
  kill(): Promise<void>;
}

export function exporterProcess(url: string, directory: string, target: object): ExporterProcess {
  const child = fork(program, [url, directory, JSON.stringify(target)]);
  const exited = once(child, 'exit');
  return {
    began: Promise.race([
      once(child, 'message'),
      exited.then(() => Promise.reject(new Error('the exporter ended before it exported'))),
    ]),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
