import type { IncomingMessage, ServerResponse } from 'node:http';

/** Whether the client holds its body back until it is told to send. */
export const holdsBodyBack = ({ headers }: IncomingMessage): boolean =>
  headers.expect?.toLowerCase() === '100-continue';

/** Tells a waiting client to send; called where a body is about to be read, so that a refusal costs no transfer. */
export function invite(request: IncomingMessage, response: ServerResponse): void {
  if (!holdsBodyBack(request)) return;
  delete request.headers.expect;
  response.writeContinue();
}
