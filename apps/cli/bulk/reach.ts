/** As `fetch`; where no answer comes, the error says from where, and why. */
export async function reach(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch (error) {
    if (request.signal?.aborted) throw error;
    const { cause, message } = error as Error;
    const { message: why, code } = (cause ?? {}) as Partial<NodeJS.ErrnoException>;
    // Of a host with several addresses the cause is several failures, whose message is empty.
    throw new Error(`${originOf(url)} cannot be reached: ${why || code || message}`, {
      cause: error,
    });
  }
}

const originOf = (url: string): string => (URL.canParse(url) ? new URL(url).origin : url);
