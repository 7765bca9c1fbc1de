import { atConcurrency, type Rate, sender } from './load.ts';

export interface RequestRates {
  readonly create: Rate;
  readonly show: Rate;
  readonly list: Rate;
}

const concurrency = 16;
const json = { 'content-type': 'application/json' };

/** Creates the images, then shows and lists them: 25 a page, from the newest. */
export async function measureRequests(
  url: string,
  counts: { readonly images: number; readonly shows: number; readonly lists: number },
): Promise<RequestRates> {
  const { ask, close } = sender(url, concurrency);
  const ids: string[] = [];
  try {
    const create = await atConcurrency(concurrency, counts.images, async (index) => {
      const image = {
        name: `bench-${index}`,
        disk_format: 'qcow2',
        container_format: 'bare',
        hw_disk_bus: 'virtio',
        slot: String(index % 100),
      };
      const answer = await ask(201, 'POST', '/v2/images', JSON.stringify(image), json);
      ids.push(JSON.parse(answer.toString()).id);
    });
    const show = await atConcurrency(concurrency, counts.shows, (index) =>
      // A prime step, so that neighbours in time are no neighbours in the table.
      ask(200, 'GET', `/v2/images/${ids[(index * 7919) % ids.length]}`),
    );
    const list = await atConcurrency(concurrency, counts.lists, () =>
      ask(200, 'GET', '/v2/images?limit=25'),
    );
    return { create, show, list };
  } finally {
    close();
  }
}
