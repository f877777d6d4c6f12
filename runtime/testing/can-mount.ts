import { execFileSync } from 'node:child_process'

/** Whether file systems may be mounted here: a test that runs as root is let through every permission. */
export const canMount = ((): boolean => {
  try {
    execFileSync('/usr/bin/unshare', ['-m', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()
