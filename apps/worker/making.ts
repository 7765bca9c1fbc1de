import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Made } from '../../domain/image/commands.ts';
import type { Declared } from '../../domain/inspection/inspect.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import { type StagedReader, type Staging, StagingFull } from '../../domain/staging.ts';
import { sync } from '../../infra/files/files.ts';
import { type Material, type Plugin, PluginRefused } from '../../infra/plugins/plugin.ts';
import { madeFile } from '../../infra/staging/filesystem.ts';
import { type Claim, Failed, type StagedTask } from './claim.ts';

/** Bytes that are to be the image. */
export interface Candidate {
  readonly size: number;
  readonly declared: Declared;
  /** They are the very ones that were staged. */
  readonly isStaged: boolean;
  /** What the image becomes with them; null where it stays what it is. */
  readonly made: Made | null;
  open(): Promise<StagedReader>;
}

export interface MakingPorts {
  readonly staging: Pick<Staging, 'open' | 'workspace'>;
  /** What is done to imports, in order. */
  readonly plugins: readonly Plugin[];
  readonly passStep: PassStep;
}

/**
 * Has plugins make of what was staged what is to be the image. Staging keeps its own, so that a claim that is taken over
 * begins again, in a workspace of its own. Rejects with `Failed` where nothing can be made of it.
 */
export function making({ staging, plugins, passStep }: MakingPorts) {
  return async (claim: Claim, task: StagedTask, signal: AbortSignal): Promise<Candidate> => {
    const { size, declared } = task;
    const open = () => staging.open(claim);
    const asStaged: Candidate = { size, declared, isStaged: true, made: null, open };
    if (!task.isImport || plugins.length === 0) return asStaged;

    const reader = await staging.open(claim);
    const { path } = reader;
    await reader.close();
    const workspace = await staging.workspace(claim);
    if (path === null || workspace === null)
      throw new TypeError('plugins work on local files only');
    const staged: Material = { path, size, ...declared, properties: {} };
    const newFile = async (): Promise<string> => join(workspace, randomUUID());
    const setting = { newFile, roles: claim.roles, signal };
    let material = staged;
    for (const plugin of plugins)
      material = await plugin.run(material, setting).catch((error) => {
        signal.throwIfAborted();
        throw asFailure(error);
      });
    if (material === staged) return asStaged;

    const { diskFormat, containerFormat, properties } = material;
    const made: Made = { size: material.size, diskFormat, containerFormat, properties };
    const isStaged = material.path === path;
    // A hard link to it may become the image's.
    if (!isStaged) await sync(material.path);
    passStep('worker.plugins-done');
    return {
      size: material.size,
      declared: { diskFormat, containerFormat },
      isStaged,
      made,
      open: isStaged ? open : () => madeFile(material.path),
    };
  };
}

function asFailure(error: unknown): unknown {
  if (error instanceof PluginRefused) return new Failed(error.reason, error.message, error.cause);
  if (error instanceof StagingFull) return new Failed('staging-full', error.message, error);
  return error;
}
