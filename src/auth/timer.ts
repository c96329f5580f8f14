// Timers as the auth server and client take them, so that tests can let time pass. Used in the auth and login processes.

/** Calls back once after `delayMs`; the function returned cancels that. */
export type StartTimer = (callback: () => void, delayMs: number) => () => void;

export const startTimer: StartTimer = (callback, delayMs) => {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
};
