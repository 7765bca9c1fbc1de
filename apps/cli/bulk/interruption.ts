/** Gives what a step gives; undefined when Ctrl-C comes first. */
export async function unlessInterrupted<T>(step: Promise<T>): Promise<T | undefined> {
  let interrupt = (): void => {};
  const interruption = new Promise<undefined>((resolve) => {
    interrupt = () => resolve(undefined);
    process.once('SIGINT', interrupt);
  });
  try {
    return await Promise.race([step, interruption]);
  } finally {
    process.off('SIGINT', interrupt);
  }
}
