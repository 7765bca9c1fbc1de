/** Cases that Daguerre does not pass yet, under the name of the feature that will make them pass. */
export interface Pending {
  readonly feature: string;
  /** `section: statement`. */
  readonly cases: readonly string[];
}

/** It can only shrink: a case on it that passes fails the run. */
export const pending: readonly Pending[] = [
  {
    feature: 'locations',
    cases: [
      'access: PATCH of locations by a stranger to a private image is 404',
      'locations: POST with no url is 400',
      'locations: POST with a url that is a number is 400',
      'locations: POST with validation_data that is text is 400',
      'locations: POST with an algorithm without value is 400',
      'locations: POST with a value without algorithm is 400',
      'locations: POST with an unknown algorithm is 400',
      'locations: POST with a value that is not hex is 400',
      'locations: POST with a value that is too short is 400',
      'locations: POST of file:///etc/passwd by who is no service is 403',
      'locations: POST of rbd://a/b/c/d by who is no service is 403',
      'locations: POST of cinder://fast/volume by who is no service is 403',
      'locations: POST of http is 403 where no http store is',
      'locations: POST by a reader is 403, by a stranger 404',
      'locations: GET is not for a member or reader of the owner: 403',
      'locations: GET by a service is a bare array',
    ],
  },
];
