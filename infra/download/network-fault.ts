import { errorCode } from '../files/files.ts';
import { HostUnknown, UrlRefused } from '../net/address-guard.ts';
import { Setback, SourceRefused } from './failures.ts';

const certificateFaults: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has expired',
  CERT_NOT_YET_VALID: 'is not valid yet',
  CERT_REVOKED: 'was revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is signed by itself',
  ERR_TLS_CERT_ALTNAME_INVALID: 'is for another host',
  SELF_SIGNED_CERT_IN_CHAIN: 'comes from an authority that is not known here',
  UNABLE_TO_GET_ISSUER_CERT: 'comes from an authority that is not known here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'comes from an authority that is not known here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'cannot be traced to an authority that is known here',
};

const connectionFaults: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses the connection',
  ECONNRESET: 'broke the connection',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached',
  EPIPE: 'broke the connection',
  ETIMEDOUT: 'does not answer',
};

/** A name that is not there, or a server that babbles, may be mended soon, but is not waited for for long. */
const brieflyMs = 60_000;

/** What an error of the network means for a download from `host`: something that passes, or not. Others are given back. */
export function networkFault(error: unknown, host: string): unknown {
  if (error instanceof UrlRefused)
    return new SourceRefused(`The URL is refused: ${error.message}`, error);
  if (error instanceof HostUnknown)
    return new Setback(`${error.message} (is the URL right?)`, error, null, brieflyMs);
  const code = errorCode(error) ?? '';
  const certificateFault = certificateFaults[code];
  if (certificateFault !== undefined)
    return new SourceRefused(
      `The certificate of ${host} ${certificateFault}: have it renewed there, or give the URL of another server`,
      error,
    );
  if (/^ERR_SSL_|^EPROTO$/.test(code))
    return new SourceRefused(
      `${host} does not speak TLS as it should: check whether the URL should begin with http://`,
      error,
    );
  if (code.startsWith('HPE_'))
    return new Setback(`${host} does not answer in HTTP`, error, null, brieflyMs);
  const connectionFault = connectionFaults[code];
  if (connectionFault !== undefined) return new Setback(`${host} ${connectionFault}`, error);
  const isOurs = !(error instanceof Error) || error instanceof TypeError;
  return isOurs ? error : new Setback(`${host}: ${error.message}`, error);
}
