/** Where checkpoints of live generations are announced, as `MODEL POSITION`, in the order of their commits. */
export const channel = 'read_model_checkpoint';

/** What stands before the position. */
export const announcement = (model: string): string => `${model} `;

export function parseAnnouncement(
  payload: string,
): { readonly model: string; readonly position: bigint } | undefined {
  const [, model, position] = /^(\w+) (\d+)$/.exec(payload) ?? [];
  return model === undefined || position === undefined
    ? undefined
    : { model, position: BigInt(position) };
}
