// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Container returns the operator's container as its Deployment has it.
func Container(ctx context.Context, admin client.Client) (corev1.Container, error) {
	deployment := &appsv1.Deployment{}
	if err := admin.Get(ctx, client.ObjectKey{Namespace: Namespace, Name: "client-identity-operator"}, deployment); err != nil {
		return corev1.Container{}, err
	}
	return deployment.Spec.Template.Spec.Containers[0], nil
}

// Environment returns the variables of a container, for a process that runs in its place.
func Environment(container corev1.Container) []string {
	var environment []string
	for _, variable := range container.Env {
		value := variable.Value
		if from := variable.ValueFrom; from != nil && from.ResourceFieldRef != nil && from.ResourceFieldRef.Resource == "limits.memory" {
			value = strconv.FormatInt(container.Resources.Limits.Memory().Value(), 10)
		}
		environment = append(environment, variable.Name+"="+value)
	}
	return environment
}

var peakOfStatus = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// PeakMemory returns the most memory that a process ever had, in MiB. Only Linux tells.
func PeakMemory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	found := peakOfStatus.FindSubmatch(status)
	if found == nil {
		return 0, fmt.Errorf("no VmHWM in the status of process %d", pid)
	}
	kibibytes, err := strconv.ParseInt(string(found[1]), 10, 64)
	return kibibytes >> 10, err
}
