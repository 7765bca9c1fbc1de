import { randomUUID } from 'node:crypto';
import { commandHandler } from '../../../domain/command-handler.ts';
import {
  type RecordingChoice,
  recordingChoice,
  recordingStream,
} from '../../../domain/download-record/switch.ts';
import type { EventLog } from '../../../domain/event-log.ts';
import type { HistoryAccess } from '../../../domain/history/access.ts';
import type { JsonObject } from '../../../domain/json.ts';
import { Refused } from '../../../domain/refused.ts';
import { eventId } from '../../../infra/event-id.ts';
import type { PersonalRecords } from '../../../infra/personal/records.ts';
import type { Visible } from '../../../projections/images/images.ts';
import { pause } from '../../handle-image.ts';
import { expectNoBody, jsonBody } from '../body.ts';
import { HttpError } from '../http-error.ts';
import { inTime, metadataOf, seenBy } from '../on-behalf.ts';
import { type GatewayRouter, parameter } from '../routes/routes.ts';
import { isStorable } from '../text.ts';
import { choiceIn, type RecordingSwitches } from './switches.ts';

export interface SwitchRoutePorts {
  readonly log: Pick<EventLog, 'readStream' | 'append'>;
  readonly personal: PersonalRecords;
  readonly access: HistoryAccess;
  /** Resolves once every gateway goes by what was appended. */
  readonly visible: Visible;
  readonly switches: Pick<RecordingSwitches, 'isOnByDefault'>;
}

const path = '/history/v1/projects/:projectId/recording';
/** As long as an id of Keystone's can be, in any script. */
const longestId = 255;

/** Whether downloads of a project's images are recorded. */
export function recordingRoutes(router: GatewayRouter, ports: SwitchRoutePorts): void {
  const { access, log, personal } = ports;
  const handle = commandHandler(recordingChoice, { log, eventId, schemaVersions: {}, pause });
  const seen = seenBy(ports.visible);

  const document = (projectId: string, choice: RecordingChoice): JsonObject => ({
    project_id: projectId,
    downloads: choice,
    recorded: choice === 'default' ? ports.switches.isOnByDefault : choice === 'on',
  });

  router.get(path, async (ctx) => {
    expectNoBody(ctx.req);
    const { caller } = ctx.call;
    const rule = 'get_download_recording';
    const projectId = parameter(ctx, 'projectId');
    access.requireProjectScope(rule, caller);
    if (projectId !== caller.projectId && !access.seesAll(caller))
      throw new Refused('project-unknown', `No project found with ID ${projectId}`, rule);
    access.authorizeOwn(rule, caller);
    ctx.body = document(projectId, choiceIn(await log.readStream(recordingStream(projectId))));
  });

  router.put(path, async (ctx) => {
    const { caller } = ctx.call;
    const rule = 'set_download_recording';
    const projectId = parameter(ctx, 'projectId');
    access.authorizeOwn(rule, caller);
    if (projectId.length > longestId || !isStorable(projectId))
      throw new HttpError(400, `An id of a project has at most ${longestId} characters.`);
    const to = choiceFrom(await jsonBody(ctx));
    const command = { type: 'SetDownloadRecording', to } as const;
    const metadata = await metadataOf(ctx.call, rule, personal);
    const context = { commandId: randomUUID(), metadata };
    const { position } = await inTime((deadline) =>
      handle(recordingStream(projectId), command, context, deadline),
    );
    await seen(position);
    ctx.body = document(projectId, to);
  });
}

function choiceFrom(asked: JsonObject | readonly unknown[]): RecordingChoice {
  const { downloads, ...others } = asked as JsonObject;
  const isKnown = downloads === 'on' || downloads === 'off' || downloads === 'default';
  if (isKnown && Object.keys(others).length === 0) return downloads;
  throw new HttpError(400, 'Say {"downloads": "on"}, "off" or "default".');
}
