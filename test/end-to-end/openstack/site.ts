import assert from 'node:assert/strict';
import { type Client, succeeded } from '../../support/clients.ts';
import type { DiskImage } from '../../support/images.ts';

/** The openstack of each user, and an image's bytes to upload. */
export interface OpenstackSite {
  as(user: string, project?: string): Client;
  projectId(name: string): Promise<string>;
  readonly directory: string;
  readonly disk: DiskImage;
}

/** An image as `openstack image show` prints it; what it does not know is among `properties`. */
export interface Shown extends Readonly<Record<string, unknown>> {
  readonly id: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

export async function shownTo(client: Client, nameOrId: string): Promise<Shown> {
  return JSON.parse(await succeeded(client('image', 'show', '-f', 'json', nameOrId)));
}

export async function created(client: Client, ...args: readonly string[]): Promise<Shown> {
  return JSON.parse(await succeeded(client('image', 'create', '-f', 'json', ...args)));
}

/** The names that a list prints, in its order. */
export async function namesIn(client: Client, ...args: readonly string[]): Promise<string[]> {
  const printed = await succeeded(client('image', 'list', '-f', 'json', ...args));
  return (JSON.parse(printed) as { Name: string }[]).map(({ Name }) => Name);
}

export function assertHas(image: Shown, expected: Readonly<Record<string, unknown>>): void {
  const found = Object.keys(expected).map((name) => [name, image[name] ?? image.properties[name]]);
  assert.deepEqual(Object.fromEntries(found), expected);
}
