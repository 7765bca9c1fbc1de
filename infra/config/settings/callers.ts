import { resolve } from 'node:path';
import { anyText, milliseconds, oneOf, setting, text, trueOrFalse, url, whole } from './kinds.ts';

const caller = anyText.regex(/^[^:]*:[^:]*:[^:]*$/, {
  error: 'must have the form user:project:role,role',
});

/** Who callers are, and what they may do. */
export const callersSettings = {
  identity: setting(
    oneOf('none', 'keystone').default('none'),
    'who callers are: keystone, or none (loopback only; X-Auth-Token is user:project:role,role)',
    'KIND',
  ),
  'default-caller': setting(
    caller.default('admin:default:admin'),
    'with identity none, who a request without such a token is',
    'CALLER',
  ),
  'allow-unauthenticated-network': setting(
    trueOrFalse.default(false),
    'let identity none listen beyond loopback: anybody who reaches it is an administrator',
  ),
  'policy-file': setting(
    text.transform((path) => resolve(path)).optional(),
    "who may do what: rules of a policy.yaml in oslo.policy's language, over the default ones",
    'FILE',
  ),
  'property-protection-file': setting(
    text.transform((path) => resolve(path)).optional(),
    "who may create, read, update and delete which custom properties: Glance's property-protections.conf",
    'FILE',
  ),
  'property-protection-rule-format': setting(
    oneOf('roles', 'policies').default('roles'),
    'what that file names: roles, or rules of the policy',
    'FORMAT',
  ),
  'keystone-auth-url': setting(
    url('http', 'https').optional(),
    'with identity keystone, where its API v3 is',
    'URL',
  ),
  'keystone-username': setting(
    text.optional(),
    'the user of this service, with role service in its project',
    'NAME',
  ),
  'keystone-password': setting(
    text.optional(),
    'its password; a flag can be seen by others on the machine, the environment and the file cannot',
    'PASSWORD',
  ),
  'keystone-project-name': setting(text.default('service'), 'its project', 'NAME'),
  'keystone-user-domain-name': setting(text.default('Default'), "its user's domain", 'NAME'),
  'keystone-project-domain-name': setting(text.default('Default'), "its project's domain", 'NAME'),
  'keystone-interface': setting(
    oneOf('public', 'internal', 'admin').optional(),
    'which identity endpoint of the catalog to use: public, internal or admin (default: the auth URL)',
    'KIND',
  ),
  'keystone-www-authenticate-uri': setting(
    url('http', 'https').optional(),
    'where clients without a token are sent (default: the auth URL)',
    'URL',
  ),
  'keystone-cafile': setting(text.optional(), 'certificate authorities to believe, as PEM', 'FILE'),
  'keystone-timeout-ms': setting(milliseconds.default(10_000), 'longest wait for an answer', 'MS'),
  'keystone-token-cache-seconds': setting(
    whole(0, 86_400).default(300),
    'how long a token is believed before it is asked about again: the bound for noticing a revocation',
    'SECONDS',
  ),
  'keystone-service-token-roles': setting(
    anyText.default('service').transform((list) =>
      list
        .toLowerCase()
        .split(',')
        .map((role) => role.trim())
        .filter((role) => role !== ''),
    ),
    'roles of which a service token must have one',
    'ROLES',
  ),
} as const;
