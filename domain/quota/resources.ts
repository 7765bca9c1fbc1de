/**
 * What projects are limited in: `images` and `uploads` are counts, `bytes` and `staged` are bytes. In the terms of
 * Keystone's unified limits: image_count_total, image_count_uploading, image_size_total, image_stage_total.
 */
export const resources = ['images', 'bytes', 'staged', 'uploads'] as const;

export type Resource = (typeof resources)[number];

/** How much of each; absent is nothing, or no limit. */
export type Amounts = Readonly<Partial<Record<Resource, number>>>;

/** How much of everything a project has, or an image takes. */
export type Usage = Readonly<Record<Resource, number>>;

export const nothing: Usage = { images: 0, bytes: 0, staged: 0, uploads: 0 };

/** As the API and Keystone call them. */
export const wireName = {
  images: 'image_count_total',
  bytes: 'image_size_total',
  staged: 'image_stage_total',
  uploads: 'image_count_uploading',
} as const satisfies Record<Resource, string>;

export const mebibyte = 1024 ** 2;

/** In the unit in which the API tells it: whole MiB, as many as are full, or a count. */
export const inWireUnit = (resource: Resource, amount: number): number =>
  resource === 'bytes' || resource === 'staged' ? Math.floor(amount / mebibyte) : amount;

/** The part of `amounts` that a limit is set for: only that is ever reserved. */
export const limited = (amounts: Amounts, limits: Amounts): Amounts =>
  Object.fromEntries(
    resources.flatMap((resource) =>
      limits[resource] === undefined || amounts[resource] === undefined
        ? []
        : [[resource, amounts[resource]]],
    ),
  );
