// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// WhoAmI returns whom the API server takes the holder of a connection for. The error is the API server's.
func WhoAmI(ctx context.Context, connection *rest.Config) (authenticationv1.UserInfo, error) {
	client, err := authenticationclient.NewForConfig(connection)
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	review, err := client.SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	return review.Status.UserInfo, nil
}

// HolderOf returns the name of the user that a kubeconfig authenticates as.
func HolderOf(ctx context.Context, kubeconfig []byte) (string, error) {
	connection, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return "", err
	}
	user, err := WhoAmI(ctx, connection)
	return user.Username, err
}
