import parser from '@eventstore/db-client/dist/Client/parseConnectionString.js';

/** What the client understands after the `?`; it tells names apart without case, `-` and `_`. */
const keys = [
  'tls',
  'tlsCAFile',
  'userCertFile',
  'userKeyFile',
  'tlsVerifyCert',
  'connectionName',
  'defaultDeadline',
  'discoveryInterval',
  'gossipTimeout',
  'maxDiscoverAttempts',
  'nodePreference',
  'keepAliveInterval',
  'keepAliveTimeout',
  'throwOnAppendFailure',
] as const;
const flat = (key: string): string => key.toLowerCase().replace(/[_-]/g, '');

/**
 * Why the client would not take a connection string as its operator means it, or undefined. The client itself only warns
 * of what it ignores, and its own words may quote a password: these do not.
 */
export function problemWithConnectionString(url: string): string | undefined {
  const [, query = ''] = url.split('?', 2);
  for (const pair of query.split('&').filter((part) => part !== '')) {
    const [key = '', value] = pair.split('=', 2);
    const known = keys.find((one) => flat(one) === flat(key.trim()));
    if (known === undefined) return `there is no option ${key}; the options are ${keys.join(', ')}`;
    if (known === 'throwOnAppendFailure' && value === 'false')
      return 'throwOnAppendFailure=false cannot be used: refused appends would look like others';
    if (known === 'tlsVerifyCert' && value === 'false')
      return 'tlsVerifyCert=false has no effect: name the authority in tlsCAFile instead';
  }
  try {
    parser.parseConnectionString(url);
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/[^"/\s]*@/g, '***@');
  }
}
