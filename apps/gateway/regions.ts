import { catalogFrom } from '../../infra/identity/keystone/documents.ts';
import { IdentityUnavailable } from '../../infra/identity/keystone/errors.ts';
import type { KeystoneSession } from '../../infra/identity/keystone/session.ts';
import type { ImportTokens } from '../../infra/import-tokens/tokens.ts';
import { HttpError } from './http-error.ts';
import type { Regions } from './imports.ts';

/** Image services of other regions, as the catalog of the caller's own token has them. */
export function keystoneRegions(
  session: Pick<KeystoneSession, 'get'>,
  tokens: Pick<ImportTokens, 'keep' | 'erase'>,
): Regions {
  const catalogOf = async (token: string) => {
    try {
      const { status, text } = await session.get('/auth/tokens', {
        'X-Subject-Token': token,
        'OpenStack-Identity-Access-Rules': '1.0',
      });
      if (status === 200) return catalogFrom(text);
      throw new Error(`Keystone answered ${status} when asked for a catalog`);
    } catch (cause) {
      throw new IdentityUnavailable(cause);
    }
  };

  return {
    async keep(of, token, region, face) {
      const endpoint = (await catalogOf(token))
        .filter(({ type }) => type === 'image')
        .flatMap(({ endpoints }) => endpoints)
        .find(
          (one) => one.interface === face && (one.region_id === region || one.region === region),
        );
      if (endpoint === undefined)
        throw new HttpError(
          400,
          `Your catalog has no image service in the region ${region} with a ${face} interface.`,
        );
      await tokens.keep(of, token);
      return endpoint.url;
    },
    forget: tokens.erase,
  };
}
