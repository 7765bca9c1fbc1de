import type { Plugin } from './plugin.ts';

/** Gives the operator's properties to what is imported, but for those whose role is among `ignoredRoles`. */
export const injection = (
  properties: Readonly<Record<string, string>>,
  ignoredRoles: readonly string[],
): Plugin => ({
  name: 'inject_image_metadata',
  async run(material, { roles }) {
    if (roles.some((role) => ignoredRoles.includes(role.toLowerCase()))) return material;
    return { ...material, properties: { ...material.properties, ...properties } };
  },
});
